using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Lookahead;

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
        var own = LookaheadKV.Generation.Session.GreedyResponse(decoder, prompt, 6, TestContext.Current.CancellationToken);
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
