using LookaheadKV.Checkpoints;
using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Training;

/// <summary>Adam beside its definition in plain numbers, and what a checkpoint brings back.</summary>
public sealed class LookaheadTrainingStateTests : IDisposable
{
    private static readonly LookaheadSettings Small = new() { Tokens = 2, Rank = 1 };
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_step_is_adams_and_clears_the_gradient()
    {
        using var scope = NewDisposeScope();
        using var module = LookaheadModule.Create(TinyDecoder.Config, Small, seed: 2);
        using var state = LookaheadTrainingState.Begin(module, new());
        var (plain, m, v) = (Numbers(module.Embeddings), new double[16], new double[16]);
        for (var step = 1; step <= 4; step++)
        {
            using var inner = NewDisposeScope();
            var (rate, slopes) = (0.1 / step, Slopes(step));
            Descend(module.Embeddings, slopes);
            state.Update(rate);
            for (var i = 0; i < 16; i++)
            {
                m[i] = 0.9 * m[i] + 0.1 * slopes[i];
                v[i] = 0.999 * v[i] + 0.001 * slopes[i] * slopes[i];
                plain[i] -= rate * (m[i] / (1 - Math.Pow(0.9, step))) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.999, step))) + 1e-8);
            }
            Assert.All(Numbers(module.Embeddings).Zip(plain), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
            Assert.Equal(0, module.Embeddings.grad!.abs().max().item<float>());
            Assert.Equal(step, state.Step);
        }
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(1e6)]
    public void A_gradient_longer_than_the_norm_is_shortened_to_it_as_a_whole(double norm)
    {
        using var scope = NewDisposeScope();
        var (clipped, plain) = (Moments(norm), Moments(null));
        var length = Math.Sqrt(plain.Sum(x => x * x)) * 10; // the first moment is a tenth of the gradient
        var factor = Math.Min(1, norm / length);
        Assert.All(plain.Zip(clipped), pair => Assert.Equal(pair.First * factor, pair.Second, 1e-6));

        double[] Moments(double? clip)
        {
            using var module = LookaheadModule.Create(TinyDecoder.Config, Small, seed: 2);
            using var state = LookaheadTrainingState.Begin(module, new());
            foreach (var parameter in module.Parameters)
                parameter.requires_grad_().mul(3).sum().backward();
            state.Update(0.01, clip);
            state.Save(_folder.Path);
            using var file = SafetensorsFile.Open(Path.Combine(_folder.Path, "checkpoint.safetensors"));
            return [.. file.Names.Where(name => name.StartsWith("first_moment.")).Order().SelectMany(name => Numbers(file.Read(name)))];
        }
    }

    [Fact]
    public void Steps_seconds_and_moments_come_back_and_go_on_alike()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, Small, seed: 2);
        using var state = LookaheadTrainingState.Begin(module, new() { Folder = _folder.Path });
        Step(module, state, 1);
        Step(module, state, 2);
        state.Seconds = 12.25;
        state.Save(_folder.Path);

        using var other = LookaheadModule.Create(TinyDecoder.Config, Small, seed: 3);
        using var resumed = LookaheadTrainingState.Begin(other, new() { Folder = _folder.Path });
        Assert.Equal((2, 12.25), (resumed.Step, resumed.Seconds));
        Step(module, state, 3);
        Step(other, resumed, 3);
        Assert.All(module.Parameters.Zip(other.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));

        static void Step(LookaheadModule module, LookaheadTrainingState state, int step)
        {
            using var scope = NewDisposeScope();
            Descend(module.Embeddings, Slopes(step));
            state.Update(0.01);
        }
    }

    [Fact]
    public void Without_a_folder_nothing_is_written_and_a_folder_is_made()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, Small);
        using var state = LookaheadTrainingState.Begin(module, new());
        state.Save(null);
        Assert.Empty(Directory.GetFiles(_folder.Path));
        state.Save(_folder["new"]);
        Assert.Equal([Path.Combine(_folder["new"], "checkpoint.safetensors")], Directory.GetFiles(_folder["new"]));
    }

    [Theory]
    [InlineData("step")]
    [InlineData("seconds")]
    public void A_file_that_records_no_step_is_no_checkpoint(string missing)
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, Small);
        using var state = LookaheadTrainingState.Begin(module, new());
        state.Save(_folder.Path);
        var path = _folder["checkpoint.safetensors"];
        using (var scope = NewDisposeScope())
        {
            using var file = SafetensorsFile.Open(path);
            (string, Tensor)[] tensors = [.. file.Names.Select(name => (name, file.Read(name)))];
            var kept = file.Metadata.Where(pair => pair.Key != missing).ToDictionary();
            Safetensors.Write(_folder["copy"], tensors, kept);
        }
        File.Move(_folder["copy"], path, overwrite: true);
        Assert.Contains(
            "records no step",
            Assert.Throws<InputException>(() => LookaheadTrainingState.Begin(module, new() { Folder = _folder.Path })).Message
        );
    }

    [Fact]
    public void A_checkpoint_that_lacks_a_parameter_is_refused()
    {
        using var few = LookaheadModule.Create(TinyDecoder.Config, Small with { Rank = 0 });
        using (var state = LookaheadTrainingState.Begin(few, new()))
            state.Save(_folder.Path);
        using var all = LookaheadModule.Create(TinyDecoder.Config, Small);
        Assert.Contains(
            "lora_A.weight is missing",
            Assert.Throws<InputException>(() => LookaheadTrainingState.Begin(all, new() { Folder = _folder.Path })).Message
        );
    }

    [Fact]
    public void A_disposed_state_leaves_no_tensor()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, Small);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        LookaheadTrainingState.Begin(module, new()).Dispose();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static double[] Slopes(int step)
    {
        var random = new Random(step);
        return [.. Enumerable.Range(0, 16).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    // Puts the slopes into the gradient.
    private static void Descend(Tensor parameter, double[] slopes)
    {
        parameter.requires_grad_(true);
        (parameter * tensor(slopes.Select(x => (float)x).ToArray()).view_as(parameter)).sum().backward();
        parameter.requires_grad_(false);
    }

    private static double[] Numbers(Tensor parameter) => [.. parameter.data<float>().ToArray().Select(x => (double)x)];
}
