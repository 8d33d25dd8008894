using System.Collections.Concurrent;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Pretraining;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Pretraining;

public class PretrainerTests
{
    private static PretrainingOptions Options(TemporaryFolder folder) => new() { Folder = folder["run"], ReportEvery = 3 };

    private static PretrainingResult Run(PretrainingOptions options, PretrainingPlan? plan = null) =>
        Pretrainer.Run(plan ?? Toy.Plan, options, Toy.First, Toy.Tasks, cancellation: TestContext.Current.CancellationToken);

    private static byte[] Tensors(TemporaryFolder folder) => File.ReadAllBytes(Directory.GetFiles(folder["run"], "*.safetensors").Single());

    private sealed class Collect(Action<CurvePoint> action) : IProgress<CurvePoint>
    {
        public void Report(CurvePoint value) => action(value);
    }

    [Fact]
    public void A_toy_task_is_learned_and_the_stages_advance()
    {
        using var folder = new TemporaryFolder();
        var plan = Toy.Plan with
        {
            Stages = [new(8, 64, 0.7, 0.95), new(24, 32, 1)],
            TotalTokens = 400 * 64 * 8,
            EvaluateEvery = 20,
            EvaluationSequences = 64,
        };
        var points = new List<CurvePoint>();
        var result = Pretrainer.Run(
            plan,
            Options(folder),
            Toy.First,
            Toy.Tasks,
            new Collect(points.Add),
            TestContext.Current.CancellationToken
        );
        Assert.True(result.Finished);
        Assert.InRange(points[0].Loss, 2, 3); // guessing costs ln 15 = 2.7
        Assert.True(points[^1].Loss < 0.1, $"loss {points[^1].Loss}");
        Assert.True(result.Accuracies["first"] > 0.95);
        Assert.Equal(1, result.State.Stage);
        Assert.True(result.State.StageStart < 0.7, "the first stage should have ended by its threshold");
        var last = points.Last(point => point.Stage == 0);
        Assert.True(last.Accuracies!["first"] >= 0.95);
        Assert.Equal(points.Select(point => point.Step), LossCurve.Read(folder["run"]).Select(point => point.Step));
        Assert.All(points, point => Assert.True(point.TokensPerSecond > 0 && point.GradientNorm > 0));
    }

    [Fact]
    public void Stages_end_when_their_own_share_is_used_up()
    {
        using var folder = new TemporaryFolder();
        var plan = Toy.Plan with { Stages = [new(8, 16, 0.25, 2), new(8, 8, 0.5, 2), new(16, 8, 1, 2)], TotalTokens = 16 * 8 * 32 };
        var points = new List<CurvePoint>();
        var options = Options(folder) with { ReportEvery = 1 };
        var result = Pretrainer.Run(plan, options, Toy.First, Toy.Tasks, new Collect(points.Add), TestContext.Current.CancellationToken);
        Assert.Equal(0.75, result.State.StageStart);
        Assert.Equal([8, 32, 8], points.GroupBy(point => point.Stage).Select(stage => stage.Count()));
    }

    [Fact]
    public void No_sequence_comes_twice_and_none_that_is_measured_on_is_trained_on()
    {
        using var folder = new TemporaryFolder();
        var seeds = new ConcurrentBag<ulong>();
        var measured = new ConcurrentBag<ulong>();
        Pretrainer.Run(
            Toy.Plan,
            Options(folder),
            (length, seed) =>
            {
                seeds.Add(seed);
                return Toy.First(length, seed);
            },
            new Dictionary<string, SequenceSource>
            {
                ["first"] = (length, seed) =>
                {
                    measured.Add(seed);
                    return Toy.First(length, seed);
                },
            },
            cancellation: TestContext.Current.CancellationToken
        );
        // What is made ahead at the end of a stage is made again, at another length, in the next; so are the sequences of the sizing.
        Assert.All(seeds.GroupBy(seed => seed), same => Assert.InRange(same.Count(), 1, 2));
        Assert.True(seeds.Distinct().Count() > 16 * 12 + 8 * 16);
        Assert.Empty(seeds.Intersect(measured));
    }

    [Fact]
    public void Pieces_give_the_bits_of_one_run()
    {
        using var whole = new TemporaryFolder();
        using var pieces = new TemporaryFolder();
        var one = Run(Options(whole));
        Assert.True(one.Finished);
        Assert.Equal(1, one.State.Stage);
        foreach (var steps in (int[])[5, 8, 1])
            Assert.False(Run(Options(pieces) with { Steps = steps }).Finished);
        var last = Run(Options(pieces));
        Assert.True(last.Finished);
        Assert.Equal(one.State with { Seconds = 0 }, last.State with { Seconds = 0 });
        Assert.Equal(Tensors(whole), Tensors(pieces));
        Assert.True(last.State.Seconds > 0);
        Assert.Equal(one.State.Step, Run(Options(pieces)).State.Step); // a finished run stays as it is
    }

    [Fact]
    public void Another_seed_gives_another_model()
    {
        using var first = new TemporaryFolder();
        using var second = new TemporaryFolder();
        Run(Options(first) with { Steps = 2 });
        Run(Options(second) with { Steps = 2 }, Toy.Plan with { Seed = 8 });
        Assert.NotEqual(Tensors(first), Tensors(second));
    }

    [Fact]
    public void Cancelling_leaves_a_checkpoint_to_go_on_from()
    {
        using var whole = new TemporaryFolder();
        using var cut = new TemporaryFolder();
        using var cancel = new CancellationTokenSource();
        Run(Options(whole));
        Assert.Throws<OperationCanceledException>(() =>
            Pretrainer.Run(Toy.Plan, Options(cut), Toy.First, Toy.Tasks, new Collect(_ => cancel.Cancel()), cancel.Token)
        );
        Assert.Equal(3, PretrainingCheckpoint.Load(cut["run"]).State.Step);
        Run(Options(cut));
        Assert.Equal(Tensors(whole), Tensors(cut));
    }

    [Fact]
    public void Points_of_a_piece_that_was_killed_are_dropped()
    {
        using var folder = new TemporaryFolder();
        Run(Options(folder) with { Steps = 6 });
        var lines = File.ReadAllLines(folder[$"run/{LossCurve.FileName}"]);
        File.AppendAllText(folder[$"run/{LossCurve.FileName}"], lines[^1].Replace("\"Step\":6", "\"Step\":99") + "\n{\"Step\":1");
        Run(Options(folder) with { Steps = 3 });
        Assert.Equal([3, 6, 9], LossCurve.Read(folder["run"]).Select(point => point.Step).Where(step => step % 3 == 0));
    }

    [Fact]
    public void Damaged_checkpoints_are_refused()
    {
        using var folder = new TemporaryFolder();
        Run(Options(folder) with { Steps = 2 });
        var tensors = Directory.GetFiles(folder["run"], "*.safetensors").Single();
        var good = File.ReadAllBytes(tensors);
        File.WriteAllBytes(tensors, good[..(good.Length / 2)]);
        Assert.Contains(tensors, Refused());
        File.Delete(tensors);
        Assert.Contains(tensors, Refused());
        File.WriteAllBytes(tensors, good);
        var state = File.ReadAllText(folder["run/state.json"]);
        File.WriteAllText(folder["run/state.json"], state[..20]);
        Assert.Contains("state.json", Refused());
        File.WriteAllText(folder["run/state.json"], "{}");
        Assert.Contains("state.json", Refused());
        File.WriteAllText(folder["run/state.json"], state);
        Run(Options(folder) with { Steps = 1 });

        string Refused()
        {
            var message = Assert.Throws<InputException>(() => Run(Options(folder))).Message;
            Assert.DoesNotContain('\n', message);
            return message;
        }
    }

    // Whatever the plan says is a setting: another value of any member is refused by its name.
    [Fact]
    public void A_checkpoint_of_other_settings_is_refused_with_the_difference()
    {
        using var folder = new TemporaryFolder();
        Run(Options(folder) with { Steps = 2 });
        var before = Tensors(folder);
        var members = typeof(PretrainingPlan).GetProperties().Where(member => member.CanWrite).Select(member => member.Name).ToList();
        Refused("Seed 7 there, 1 now", Toy.Plan with { Seed = 1 });
        Refused("Model.Layers 2 there, 1 now", Toy.Plan with { Model = Toy.Model with { Layers = 1 } });
        Refused("Stages .* there, .* now", Toy.Plan with { Stages = [.. Toy.Plan.Stages.Select(stage => stage with { Batch = 3 })] });
        Refused("TotalMinutes not given there, 5 now", Toy.Plan with { TotalMinutes = 5 });
        Refused("TotalTokens .* there, .* now", Toy.Plan with { TotalTokens = Toy.Plan.TotalTokens + 1 });
        Refused("OptionalTasks .* now", Toy.Plan with { OptionalTasks = ["none"] });
        Refused("LearningRate .* now", Toy.Plan with { LearningRate = 0.5 });
        Refused("FinalShare .* now", Toy.Plan with { FinalShare = 0.5 });
        Refused("WarmUpSteps .* now", Toy.Plan with { WarmUpSteps = 77 });
        Refused("Beta1 .* now", Toy.Plan with { Beta1 = 0.5 });
        Refused("Beta2 .* now", Toy.Plan with { Beta2 = 0.5 });
        Refused("WeightDecay .* now", Toy.Plan with { WeightDecay = 0.5 });
        Refused("GradientClip .* now", Toy.Plan with { GradientClip = 0.5 });
        Refused("EvaluateEvery .* now", Toy.Plan with { EvaluateEvery = 77 });
        Refused("EvaluationSequences .* now", Toy.Plan with { EvaluationSequences = 77 });
        Assert.Empty(members);
        var other = Options(folder) with { Settings = RunSettings.None.With(("data", "other")) };
        Assert.Contains("(data not given there, other now)", Assert.Throws<InputException>(() => Run(other)).Message);
        Assert.Equal(before, Tensors(folder));

        void Refused(string difference, PretrainingPlan plan)
        {
            members.Remove(difference.Split(' ', '.')[0]);
            var message = Assert.Throws<InputException>(() => Run(Options(folder), plan)).Message;
            Assert.Matches($"^[^()]* holds a training of other settings \\({difference}\\); name another folder.$", message);
        }
    }

    [Fact]
    public void A_diverged_training_is_refused_and_not_saved()
    {
        using var folder = new TemporaryFolder();
        var wild = Toy.Plan with { LearningRate = 1e30 };
        Run(Options(folder) with { Steps = 1 }, wild); // its loss is that of the weights before the step
        var before = Tensors(folder);
        Assert.Contains("diverged", Assert.Throws<InputException>(() => Run(Options(folder), wild)).Message);
        Assert.Equal(before, Tensors(folder));
    }

    [Fact]
    public void Export_writes_what_the_decoder_computes_with()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        Run(Options(folder) with { Steps = 3 });
        Pretrainer.Export(folder["run"], folder["model"], ScalarType.BFloat16, endToken: 2);
        var config = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(folder["model/config.json"]));
        Assert.Equal("llama", config.GetProperty("model_type").GetString());
        Assert.Equal(32, config.GetProperty("hidden_size").GetInt32());
        Assert.Equal(10_000, config.GetProperty("rope_theta").GetDouble());
        Assert.Equal(10_000, config.GetProperty("rope_parameters").GetProperty("rope_theta").GetDouble());
        Assert.Equal("bfloat16", config.GetProperty("dtype").GetString());
        Assert.Equal("bfloat16", config.GetProperty("torch_dtype").GetString());
        var generation = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(folder["model/generation_config.json"]));
        Assert.Equal(2, generation.GetProperty("eos_token_id").GetInt32());

        using var state = PretrainingCheckpoint.Load(folder["run"]).LoadTensors(folder["run"], CPU);
        using var file = SafetensorsFile.Open(folder["model/model.safetensors"]);
        var total = 0L;
        foreach (var (name, weight) in HuggingFaceExport.Weights(Toy.Model, state.Weights))
        {
            var stored = file.Read(name, CPU, ScalarType.BFloat16);
            Assert.Equal(weight.shape, stored.shape);
            Assert.True(Toy.Same(stored, weight.to(ScalarType.BFloat16)), name);
            total += stored.numel();
        }
        Assert.Equal(ParameterLayout.Count(Toy.Model), total);
        Assert.Throws<InputException>(() => Pretrainer.Export(folder["run"], folder["other"], ScalarType.BFloat16, endToken: 16));
        Assert.False(Directory.Exists(folder["other"]));
    }

    [Fact]
    public void The_library_decoder_reads_the_export_and_computes_the_same()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        HuggingFaceExport.Write(folder["model"], Toy.Model, weights, ScalarType.Float32, endToken: 2);
        using var trained = new TrainableDecoder(Toy.Model, weights, CPU, ScalarType.Float32);
        using var loaded = Decoder.Load(folder["model"]);
        var ids = randint(16, [1, 20], generator: new Generator(1));
        var hidden = PromptPass.Run(loaded, ids, (_, _) => { }, TestContext.Current.CancellationToken);
        Assert.True(allclose(trained.Logits(ids), loaded.Logits(hidden), 1e-5, 1e-5));
        Assert.Equal([2], loaded.Config.EndTokens);
    }

    [Fact]
    public void A_run_starts_from_an_exported_model_of_the_same_shape()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        HuggingFaceExport.Write(folder["model"], Toy.Model, weights, ScalarType.Float32, endToken: 2);
        var options = Options(folder) with { Steps = 1, StartFrom = folder["model"] };
        // A rate this small moves no float32 number of this size: what is saved is what was read.
        Run(options, Toy.Plan with { LearningRate = 1e-30, WeightDecay = 0 });
        using var state = PretrainingCheckpoint.Load(folder["run"]).LoadTensors(folder["run"], CPU);
        Assert.True(Toy.Same(weights, state.Weights));
        var other = Toy.Plan with { Model = Toy.Model with { IntermediateSize = 40 } };
        var error = Assert.Throws<InputException>(() => Run(options with { Folder = folder["other"] }, other));
        Assert.Contains("gate_proj", error.Message);
    }

    [Fact]
    public void No_tensor_outlives_a_run()
    {
        using var folder = new TemporaryFolder();
        Run(Options(folder) with { Steps = 2 });
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Run(Options(folder) with { Steps = 2 });
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Speed_is_measured_without_a_folder()
    {
        var options = new PretrainingOptions { Folder = "unused-by-speed" };
        Assert.True(Pretrainer.MeasureSpeed(Toy.Plan, options, Toy.Copy, stage: 1, steps: 3, warmUp: 1) > 0);
        Assert.False(Directory.Exists(options.Folder));
        Assert.Throws<InputException>(() => Pretrainer.MeasureSpeed(Toy.Plan, options, Toy.Copy, stage: 2));
    }
}
