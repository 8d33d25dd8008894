using LookaheadKV.Checkpoints;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Training;

/// <summary>What a training run does beside its gradient: rates, limits, checkpoints, what is trained, how it ends.</summary>
public sealed class LookaheadRunTests : IDisposable
{
    private static readonly LookaheadSettings Small = new() { Tokens = 3, Rank = 2 };
    private static readonly LookaheadTrainerOptions Short = new() { Steps = 4, Responses = new GivenResponses() };
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Linear warm-up from 1/W of the peak, then a cosine from the peak to its final share.</summary>
    [Theory]
    [InlineData(0, 0.25)]
    [InlineData(1, 0.5)]
    [InlineData(3, 1.0)]
    [InlineData(5, 1.0)]
    [InlineData(10, 1.0)]
    [InlineData(30, 1.0)]
    public void The_rate_warms_up_and_falls_along_a_cosine(long step, double warm)
    {
        var options = new LookaheadTrainerOptions
        {
            Steps = 20,
            LearningRate = 0.5,
            WarmUpSteps = 4,
            FinalShare = 0.1,
        };
        // (1 + cos x) / 2 is cos² (x/2).
        var cosine = step >= 20 ? 0 : Math.Pow(Math.Cos(Math.PI * step / 20 / 2), 2);
        Assert.Equal(0.5 * warm * (0.1 + 0.9 * cosine), options.RateAt(step), 1e-12);
        Assert.Equal(0.5 * (0.1 + 0.9 * cosine), (options with { WarmUpSteps = 0 }).RateAt(step), 1e-12);
    }

    [Fact]
    public void Each_step_takes_the_schedules_rate_and_moves_no_parameter_further()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        using var start = Module(decoder);
        var options = Short with { Steps = 40, LearningRate = 0.2 };
        var points = new List<LookaheadTrainingPoint>();
        var moved = 0.0;
        LookaheadTrainer.Run(decoder, module, Examples, options, new Inline<LookaheadTrainingPoint>(point => After(point)));
        Assert.Equal(Enumerable.Range(1, 40).Select(step => (long)step), points.Select(point => point.Step));
        Assert.All(points, point => Assert.Equal(options.RateAt(point.Step - 1), point.LearningRate));
        Assert.All(points, point => Assert.Equal((40, 0), (point.Steps, point.Generated)));
        Assert.Equal(options.RateAt(0), moved, 1e-5);

        void After(LookaheadTrainingPoint point)
        {
            points.Add(point);
            if (point.Step > 1)
                return;
            // Adam's first step moves every parameter with a gradient by the rate, whatever the gradient's size.
            using var scope = torch.NewDisposeScope();
            moved = (module.Embeddings - start.Embeddings).abs().max().item<float>();
        }
    }

    [Fact]
    public void A_checkpoint_is_written_every_so_many_steps_every_so_many_minutes_and_at_the_end()
    {
        Assert.Equal([null, null, "2", "2", "4"], Seen(Short with { CheckpointEvery = 2, Steps = 5 }));
        Assert.Equal([null, "1", "2"], Seen(Short with { CheckpointMinutes = 0, Steps = 3 }));
        Assert.Equal([null, null, null], Seen(Short with { Steps = 3 }));

        // The checkpoint's step as each step reports, before its own is written.
        List<string?> Seen(LookaheadTrainerOptions options)
        {
            var folder = _folder[Guid.NewGuid().ToString()];
            Directory.CreateDirectory(folder);
            var seen = new List<string?>();
            using var decoder = TinyDecoder.Create();
            using var module = Module(decoder);
            LookaheadTrainer.Run(
                decoder,
                module,
                Examples,
                options with
                {
                    Folder = folder,
                },
                new Inline<LookaheadTrainingPoint>(_ => seen.Add(Step(folder)))
            );
            Assert.Equal($"{options.Steps}", Step(folder));
            return seen;
        }
    }

    [Fact]
    public void A_piece_that_may_take_no_time_does_nothing_and_says_that_steps_are_left()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        var options = Short with { Folder = _folder.Path };
        Assert.False(LookaheadTrainer.Run(decoder, module, Examples, options with { Minutes = 0 }));
        Assert.Equal("0", Step(_folder.Path));
        Assert.True(LookaheadTrainer.Run(decoder, module, Examples, options with { Minutes = 5 }));
        Assert.Equal("4", Step(_folder.Path));
        // What is done is not done again.
        Assert.True(
            LookaheadTrainer.Run(decoder, module, Examples, options, new Inline<LookaheadTrainingPoint>(point => Assert.Fail($"{point}")))
        );
    }

    [Fact]
    public void Seconds_count_over_all_pieces()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        var options = Short with { Folder = _folder.Path };
        var seconds = new List<double>();
        LookaheadTrainer.Run(decoder, module, Examples, options, new Inline<LookaheadTrainingPoint>(point => seconds.Add(point.Seconds)));
        LookaheadTrainer.Run(
            decoder,
            module,
            Examples,
            options with
            {
                Steps = 6,
            },
            new Inline<LookaheadTrainingPoint>(point => seconds.Add(point.Seconds))
        );
        Assert.Equal(6, seconds.Count);
        Assert.Equal(seconds.Order(), seconds);
        Assert.InRange(seconds[0], 1e-9, 60);
    }

    [Fact]
    public void A_run_that_diverges_says_so_and_leaves_the_last_checkpoint()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        var options = Short with { Folder = _folder.Path, CheckpointEvery = 1 };
        LookaheadTrainer.Run(decoder, module, Examples, options);
        using (torch.no_grad())
            module.Embeddings.fill_(float.NaN);
        using (var state = LookaheadTrainingState.Begin(Module(decoder), new()))
            Assert.Equal(0, state.Step);
        var error = Assert.Throws<InputException>(() => LookaheadTrainer.Run(decoder, module, Examples, options with { Folder = null }));
        Assert.Contains("the training diverged at step 0", error.Message);
        Assert.Equal("4", Step(_folder.Path));
    }

    [Theory]
    [InlineData(TrainedPart.All)]
    [InlineData(TrainedPart.Lora)]
    public void The_part_that_is_trained_changes_and_gradients_end_with_the_run(TrainedPart part)
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        using var start = Module(decoder);
        var during = false;
        LookaheadTrainer.Run(
            decoder,
            module,
            Examples,
            Short with
            {
                Trained = part,
            },
            new Inline<LookaheadTrainingPoint>(_ => during = module.Embeddings.requires_grad)
        );
        Assert.Equal(part == TrainedPart.All, during);
        Assert.Equal(part == TrainedPart.Lora, Same(module.Embeddings, start.Embeddings));
        Assert.All(module.Parameters.Zip(start.Parameters).Skip(1), pair => Assert.False(Same(pair.First, pair.Second)));
        Assert.All(module.Parameters, parameter => Assert.False(parameter.requires_grad));
        Assert.All(module.Parameters, parameter => Assert.True(parameter.grad is null || parameter.grad.abs().max().item<float>() == 0));
    }

    [Fact]
    public void A_run_that_fails_within_a_step_leaves_no_gradient_for_the_next()
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        // The first pass of the step has its gradient when the second one fails: its prompt is too long.
        ExampleSource broken = _ => [new([1, 2, 3], [4]), new([.. Enumerable.Repeat(1, 24)], [4])];
        Assert.Throws<InputException>(() => LookaheadTrainer.Run(decoder, module, broken, Short));
        Assert.All(module.Parameters, parameter => Assert.False(parameter.requires_grad));
        Assert.Equal(0, module.Embeddings.grad!.abs().max().item<float>());
    }

    [Fact]
    public void A_steps_loss_is_the_mean_over_its_examples_whoever_gave_their_responses()
    {
        using var decoder = TinyDecoder.Create();
        int[] first = [3, 8, 2, 11, 5];
        int[] second = [1, 1, 4, 9, 6];
        int[] third = [7, 2, 2];
        var own = Session.GreedyResponse(decoder, first, 6, TestContext.Current.CancellationToken);
        int[] wrong = [(Session.GreedyResponse(decoder, second, 6, TestContext.Current.CancellationToken)[0] + 1) % 13, 2];
        // A right guess and a wrong one share a pass; a prompt of another length without a guess has its own.
        LookaheadExample[] examples = [new(first, own), new(second, wrong), new(third, [])];
        var together = Step(examples);
        Assert.Equal(2, together.Generated);
        Assert.Equal(examples.Average(example => Step([example]).Loss), together.Loss, 1e-5);

        LookaheadTrainingPoint Step(LookaheadExample[] step)
        {
            using var module = Module(decoder);
            LookaheadTrainingPoint? seen = null;
            var options = new LookaheadTrainerOptions { Steps = 1, MaxResponse = 6 };
            LookaheadTrainer.Run(decoder, module, _ => step, options, new Inline<LookaheadTrainingPoint>(point => seen = point));
            return seen!;
        }
    }

    [Fact]
    public void Points_count_what_the_responses_generated_in_their_step()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        var responses = new OwnResponses(decoder, SamplingOptions.Greedy, 4, ResponseCache.Open(_folder["responses.jsonl"], "here"));
        var generated = new List<int>();
        ExampleSource source = step => [new([1, 2, 3], []), new([4, 5, (int)step % 2], [])];
        LookaheadTrainer.Run(
            decoder,
            module,
            source,
            Short with
            {
                Responses = responses,
            },
            new Inline<LookaheadTrainingPoint>(p => generated.Add(p.Generated))
        );
        Assert.Equal([2, 1, 0, 0], generated);
    }

    [Fact]
    public void Each_steps_examples_are_made_once_and_those_of_no_step_never()
    {
        using var decoder = TinyDecoder.Create();
        using var module = Module(decoder);
        var asked = new System.Collections.Concurrent.ConcurrentBag<long>();
        LookaheadTrainer.Run(decoder, module, Source, Short with { Folder = _folder.Path, Steps = 2 });
        Assert.Equal([0, 1], asked.Order());
        asked.Clear();
        LookaheadTrainer.Run(decoder, module, Source, Short with { Folder = _folder.Path, Steps = 5 });
        Assert.Equal([2, 3, 4], asked.Order());

        IReadOnlyList<LookaheadExample> Source(long step)
        {
            asked.Add(step);
            return Examples(step);
        }
    }

    [Fact]
    public void A_run_leaves_no_tensor_done_or_failed()
    {
        using var decoder = TinyDecoder.Create();
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            using var module = Module(decoder);
            LookaheadTrainer.Run(decoder, module, Examples, Short with { Steps = 2 });
            LookaheadTrainer.Run(decoder, module, Examples, new() { Steps = 1, MaxResponse = 3 });
            ExampleSource broken = _ => [new([1, 2, 3], [4]), new([.. Enumerable.Repeat(1, 24)], [4])];
            Assert.Throws<InputException>(() => LookaheadTrainer.Run(decoder, module, broken, Short));
        }
    }

    [Fact]
    public void The_objective_is_the_one_that_was_asked_for()
    {
        using var decoder = TinyDecoder.Create();
        double[] losses = [.. Enum.GetValues<LookaheadObjective>().Select(First)];
        Assert.Equal(3, losses.Distinct().Count());

        double First(LookaheadObjective objective)
        {
            using var module = Module(decoder);
            using var scope = torch.NewDisposeScope();
            using var target = LookaheadTarget.Compute(
                decoder,
                [
                    [3, 8, 2],
                ],
                [
                    [1, 5],
                ]
            );
            var expected = LookaheadTrainer.Loss(decoder, module, target, objective).item<float>();
            var loss = 0.0;
            var options = Short with { Steps = 1, Objective = objective };
            LookaheadTrainer.Run(
                decoder,
                module,
                _ => [new([3, 8, 2], [1, 5])],
                options,
                new Inline<LookaheadTrainingPoint>(point => loss = point.Loss)
            );
            Assert.Equal(expected, loss, 1e-6);
            return loss;
        }
    }

    private static LookaheadModule Module(Decoder decoder) => LookaheadModule.Create(decoder.Config, Small, seed: 1);

    private static IReadOnlyList<LookaheadExample> Examples(long step) =>
        [new([3, 8, 2, 11, 5], [1, (int)step % 3]), new([1, 1, 4, 9], [6])];

    private static bool Same(torch.Tensor a, torch.Tensor b) => a.eq(b).all().item<bool>();

    private static string? Step(string folder)
    {
        var path = Path.Combine(folder, "checkpoint.safetensors");
        if (!File.Exists(path))
            return null;
        using var file = SafetensorsFile.Open(path);
        return file.Metadata["step"];
    }

    [Fact]
    public void A_pass_of_several_prompts_has_their_mean_loss_and_a_step_counts_their_tokens()
    {
        using var decoder = TinyDecoder.Create();
        LookaheadExample[] examples = [new([3, 8, 2, 11, 5], [1, 2]), new([1, 1, 4, 9, 6], [7]), new([7, 2, 2], [5, 5, 5])];
        var together = Step(examples);
        Assert.Equal(examples.Average(example => Step([example]).Loss), together.Loss, 1e-5);
        Assert.Equal(5 + 5 + 3, together.Tokens);
        Assert.True(together.Times is { Target: > 0, Backward: > 0, Prefill: 0 });

        LookaheadTrainingPoint Step(LookaheadExample[] step)
        {
            using var module = Module(decoder);
            LookaheadTrainingPoint? seen = null;
            LookaheadTrainer.Run(decoder, module, _ => step, Short with { Steps = 1 }, new Inline<LookaheadTrainingPoint>(p => seen = p));
            return seen!;
        }
    }
}
