using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Training;

/// <summary>The trainer: the loss falls, a resumed run equals an unbroken one, the model's own answers are the targets.</summary>
public sealed class LookaheadTrainerTests : IDisposable
{
    private static readonly LookaheadSettings Small = new() { Tokens = 4, Rank = 2 };
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_loss_falls()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        var losses = new List<double>();
        var options = new LookaheadTrainerOptions
        {
            Steps = 150,
            LearningRate = 1e-2,
            MaxResponse = 6,
        };
        Assert.True(LookaheadTrainer.Run(decoder, module, Examples, options, Into(losses)));
        Assert.Equal(150, losses.Count);
        Assert.True(losses.TakeLast(20).Average() < 0.6 * losses.Take(5).Average(), $"{losses[0]} → {losses[^1]}");
    }

    /// <summary>Adam's first step moves a parameter by the rate itself, so that the module shows at which rate it was trained.</summary>
    [Theory]
    [InlineData(0, 1.0)]
    [InlineData(1, 1.0)]
    [InlineData(4, 0.25)]
    [InlineData(20, 0.05)]
    public void The_first_step_is_as_small_as_the_warm_up_says(int warmUp, double share)
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        using var start = module.Copy();
        var rates = new List<double>();
        var options = new LookaheadTrainerOptions
        {
            Steps = 1,
            LearningRate = 1e-2,
            WarmUpSteps = warmUp,
            MaxResponse = 6,
        };
        LookaheadTrainer.Run(decoder, module, Examples, options, new Inline(point => rates.Add(point.LearningRate)));
        var moved = module.Parameters.Zip(start.Parameters).Max(pair => (pair.First - pair.Second).abs().max().item<float>());
        Assert.Equal(share * 1e-2, moved, 1e-5);
        Assert.Equal(share * 1e-2, rates.Single(), 1e-12);
    }

    [Fact]
    public void The_rate_rises_in_a_line_and_falls_as_a_cosine()
    {
        var options = new LookaheadTrainerOptions
        {
            Steps = 100,
            LearningRate = 2e-3,
            WarmUpSteps = 10,
            FinalShare = 0.1,
        };
        for (var step = 0; step < 100; step++)
        {
            var cosine = 0.1 + 0.9 * (1 + Math.Cos(Math.PI * step / 100)) / 2;
            Assert.Equal(2e-3 * Math.Min(1, (step + 1) / 10.0) * cosine, options.RateAt(step), 1e-15);
        }
        Assert.Equal(2e-4, options.RateAt(100), 1e-15);
    }

    [Fact]
    public void A_copy_keeps_the_parameters_that_training_changes()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        using var start = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        using var copy = module.Copy();
        LookaheadTrainer.Run(decoder, module, Examples, new() { Steps = 3, MaxResponse = 6 });
        Assert.Equal(module.Parameters.Count, copy.Parameters.Count);
        Assert.All(start.Parameters.Zip(copy.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));
        Assert.All(module.Parameters.Zip(copy.Parameters), pair => Assert.False(pair.First.eq(pair.Second).all().item<bool>()));
        // It is a module like any other: it trains to the same.
        LookaheadTrainer.Run(decoder, copy, Examples, new() { Steps = 3, MaxResponse = 6 });
        Assert.All(module.Parameters.Zip(copy.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));
    }

    [Fact]
    public void A_resumed_run_equals_an_unbroken_one_bit_for_bit()
    {
        using var decoder = TinyDecoder.Create();
        using var whole = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        var options = new LookaheadTrainerOptions { Steps = 6, MaxResponse = 6 };
        LookaheadTrainer.Run(decoder, whole, Examples, options);

        using var first = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        using var stop = new CancellationTokenSource();
        var piece = options with { Folder = _folder };
        Assert.ThrowsAny<OperationCanceledException>(() =>
            LookaheadTrainer.Run(decoder, first, Examples, piece, new Inline(p => Stop(p.Step == 3)), stop.Token)
        );
        using var second = LookaheadModule.Create(decoder.Config, Small, seed: 77); // the checkpoint, not the start, decides
        var steps = new List<long>();
        LookaheadTrainer.Run(decoder, second, Examples, piece, new Inline(p => steps.Add(p.Step)));
        Assert.Equal([4, 5, 6], steps);
        Assert.All(whole.Parameters.Zip(second.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));

        void Stop(bool now)
        {
            if (now)
                stop.Cancel();
        }
    }

    [Fact]
    public void A_right_guess_and_no_guess_train_the_same_and_a_wrong_one_is_replaced()
    {
        using var decoder = TinyDecoder.Create();
        int[] prompt = [3, 8, 2, 11, 5];
        var own = Session.GreedyResponse(decoder, prompt, 6, TestContext.Current.CancellationToken);
        var (right, generatedRight) = Step(own);
        var (none, generatedNone) = Step([]);
        var (wrong, generatedWrong) = Step([(own[0] + 1) % 13, 0]);
        Assert.Equal((0, 1, 1), (generatedRight, generatedNone, generatedWrong));
        Assert.Equal(none, wrong);
        Assert.Equal(none, right, 6);

        (double Loss, int Generated) Step(int[] guess)
        {
            using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
            var points = new List<LookaheadTrainingPoint>();
            var options = new LookaheadTrainerOptions { Steps = 1, MaxResponse = 6 };
            LookaheadTrainer.Run(decoder, module, _ => [new LookaheadExample(prompt, guess)], options, new Inline(points.Add));
            return (points[0].Loss, points[0].Generated);
        }
    }

    [Fact]
    public void Examples_of_one_length_in_one_pass_give_the_loss_of_each_alone()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        int[][] prompts =
        [
            [3, 8, 2, 11, 5],
            [1, 1, 4, 9, 6],
        ];
        int[][] responses =
        [
            [2, 7, 0],
            [5],
        ];
        using var scope = torch.NewDisposeScope();
        using var both = LookaheadTarget.Compute(decoder, prompts, responses);
        using var first = LookaheadTarget.Compute(decoder, [prompts[0]], [responses[0]]);
        using var second = LookaheadTarget.Compute(decoder, [prompts[1]], [responses[1]]);
        var alone = (Loss(first) + Loss(second)) / 2;
        Assert.Equal(alone, Loss(both), 5);

        float Loss(LookaheadTarget target) => LookaheadTrainer.Loss(decoder, module, target).item<float>();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Passes_of_fewer_prompts_add_up_to_the_same_gradient(int passSize)
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var (whole, split) = (FirstMoments(32), FirstMoments(passSize));
        Assert.Contains(whole.Values, moment => moment.abs().max().item<float>() > 1e-4);
        foreach (var (name, moment) in whole)
            Assert.True(split[name].allclose(moment, 1e-3, 1e-7), name);

        // After one step Adam's first moment is a tenth of the gradient; the step itself would not show its scale.
        Dictionary<string, torch.Tensor> FirstMoments(int size)
        {
            var folder = Path.Combine(_folder, size.ToString());
            using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
            var options = new LookaheadTrainerOptions
            {
                Steps = 1,
                PassSize = size,
                Folder = folder,
                Responses = new OwnResponses(decoder, SamplingOptions.Greedy, 6),
            };
            Directory.CreateDirectory(folder);
            LookaheadTrainer.Run(decoder, module, Examples, options);
            using var file = SafetensorsFile.Open(Path.Combine(folder, "checkpoint.safetensors"));
            return file
                .Names.Where(name => name.StartsWith("first_moment.", StringComparison.Ordinal))
                .ToDictionary(n => n, n => file.Read(n));
        }
    }

    [Fact]
    public void Known_responses_are_not_verified_and_train_as_generated_ones()
    {
        using var decoder = TinyDecoder.Create();
        var own = new OwnResponses(decoder, SamplingOptions.Greedy, 6);
        Assert.Equal(First(null), First(own), 6);
        // What the data says counts, though the model would have said something else.
        Assert.NotEqual(First(null), First(new GivenResponses()), 6);

        double First(IResponses? responses)
        {
            using var module = LookaheadModule.Create(decoder.Config, Small, seed: 1);
            var losses = new List<double>();
            var options = new LookaheadTrainerOptions
            {
                Steps = 1,
                MaxResponse = 6,
                Responses = responses,
            };
            LookaheadTrainer.Run(decoder, module, _ => [new([3, 8, 2, 11, 5], [1, 1])], options, Into(losses));
            return losses.Single();
        }
    }

    [Fact]
    public void A_run_that_is_cancelled_within_a_step_or_killed_goes_on_as_if_it_had_not_been()
    {
        using var decoder = TinyDecoder.Create();
        using var whole = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        var options = new LookaheadTrainerOptions { Steps = 6, Responses = new OwnResponses(decoder, SamplingOptions.Greedy, 6) };
        LookaheadTrainer.Run(decoder, whole, Examples, options);

        using var stop = new CancellationTokenSource();
        using var first = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        var interrupted = options with { Folder = _folder, Responses = new Stopping(options.Responses, 3 * 3 + 2, stop) };
        Assert.ThrowsAny<OperationCanceledException>(() => LookaheadTrainer.Run(decoder, first, Examples, interrupted, null, stop.Token));
        Assert.Equal([1, 2, 3], Curve());
        // A killed process leaves points behind its last checkpoint, and half a line.
        var lines = File.ReadAllLines(CurveFile());
        File.AppendAllText(CurveFile(), lines[^1].Replace("\"Step\":3", "\"Step\":4") + "\n{\"Step\":5");

        using var second = LookaheadModule.Create(decoder.Config, Small, seed: 1);
        LookaheadTrainer.Run(decoder, second, Examples, options with { Folder = _folder });
        Assert.All(whole.Parameters.Zip(second.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));
        Assert.Equal([1, 2, 3, 4, 5, 6], Curve());

        string CurveFile() => Path.Combine(_folder, LookaheadTrainer.CurveFile);

        IEnumerable<long> Curve() => JsonLines.Read<LookaheadTrainingPoint>(CurveFile()).Select(point => point.Step);
    }

    [Fact]
    public void A_checkpoint_of_other_settings_is_refused()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, Small);
        var options = new LookaheadTrainerOptions
        {
            Steps = 1,
            MaxResponse = 4,
            Folder = _folder,
        };
        LookaheadTrainer.Run(decoder, module, Examples, options);
        using var other = LookaheadModule.Create(decoder.Config, Small with { Tokens = 5 });
        Assert.Contains(
            "other settings",
            Assert.Throws<InputException>(() => LookaheadTrainer.Run(decoder, other, Examples, options)).Message
        );
    }

    /// <summary>Asks for the end of the run while a step is under way.</summary>
    private sealed class Stopping(IResponses inner, int after, CancellationTokenSource stop) : IResponses
    {
        private int _asked;

        public long Generated => inner.Generated;

        public int[] Of(LookaheadExample example, CancellationToken cancellation)
        {
            if (++_asked == after)
                stop.Cancel();
            return inner.Of(example, cancellation);
        }

        public LookaheadTarget Target(
            LookaheadKV.Models.Decoder decoder,
            IReadOnlyList<LookaheadExample> examples,
            StepClock clock,
            CancellationToken cancellation,
            LookaheadKV.Runtime.Execution? execution
        )
        {
            foreach (var _ in examples)
                if (++_asked == after)
                    stop.Cancel();
            return inner.Target(decoder, examples, clock, cancellation, execution);
        }
    }

    private static IReadOnlyList<LookaheadExample> Examples(long step)
    {
        var random = new Random((int)step);
        return
        [
            .. Enumerable.Range(0, 3).Select(_ => new LookaheadExample([.. Enumerable.Range(0, 9).Select(_ => random.Next(1, 13))], [])),
        ];
    }

    private static Inline Into(List<double> losses) => new(point => losses.Add(point.Loss));

    private sealed class Inline(Action<LookaheadTrainingPoint> report) : IProgress<LookaheadTrainingPoint>
    {
        public void Report(LookaheadTrainingPoint value) => report(value);
    }
}
