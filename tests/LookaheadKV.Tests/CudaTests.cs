using System.Diagnostics;
using LookaheadKV.Attention;
using LookaheadKV.Budgeting;
using LookaheadKV.Checkpoints;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests;

/// <summary>The same on a GPU; skipped, visibly, where there is none.</summary>
public class CudaTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void The_shipped_model_answers_on_an_evicted_cache(ScalarType dtype)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        var folder = ModelFolders.Resolve("nano");
        using var decoder = Decoder.Load(folder, CUDA, dtype);
        using var modules = LookaheadFiles.Load(Path.Combine(folder, ModelFolders.LookaheadFolder), decoder.Config, CUDA);
        var tokenizer = Tokenizer.Load(folder);
        var prompt = tokenizer.Encode(
            "<|begin|>Text: It snowed. Toko Casan's code is 483. The fog passed.\nQuestion: What is Toko Casan's code?\nAnswer:"
        );
        using var session = Session.Start(decoder, prompt, LookaheadMethod.Policy(modules).With(Budget.Tokens(20)));
        Assert.Equal(" 483", tokenizer.Decode(session.Generate(8), skipSpecial: true));
        Assert.Equal(DeviceType.CUDA, session.Cache.Layers[0].Device.type);
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-3)]
    [InlineData(ScalarType.BFloat16, 0.05)]
    public void Ragged_heads_decode_as_on_the_CPU(ScalarType dtype, double tolerance)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        var folder = ModelFolders.Resolve("nano");
        int[] prompt = [.. Enumerable.Range(0, 300).Select(i => 20 + 37 * i % 600)];
        var policy = AdaKV.Method.Policy().With(Budget.Tokens(48));
        using var onGpu = Decoder.Load(folder, CUDA, dtype);
        using var onCpu = Decoder.Load(folder);
        using var gpu = Session.Start(onGpu, prompt, policy);
        Assert.Contains(gpu.Cache.Layers, layer => layer.StoredLengths.Distinct().Count() > 1);
        using var cpu = Session.Replay(onCpu, prompt, gpu.KeptPositions(policy));
        foreach (var tokens in new int[][] { [7], [31], [40, 50, 60], [9] })
            Near(cpu.Append(tokens), gpu.Append(tokens).cpu(), tolerance);
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-3)]
    [InlineData(ScalarType.BFloat16, 0.05)]
    public void Compiled_passes_with_riding_observers_give_what_the_readable_ones_give(ScalarType dtype, double tolerance)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        var folder = ModelFolders.Resolve("nano");
        using var decoder = Decoder.Load(folder, CUDA, dtype);
        using var modules = LookaheadFiles.Load(Path.Combine(folder, ModelFolders.LookaheadFolder), decoder.Config, CUDA);
        int[] prompt = [.. Enumerable.Range(0, 700).Select(i => 20 + 37 * i % 600)];
        var policy = LookaheadMethod.Policy(modules).With(Budget.Tokens(64));
        using var read = Session.Start(decoder, prompt, policy, execution: Execution.Reference);
        var first = read.NextLogits.clone();
        foreach (var execution in new[] { Execution.Compiled, Execution.Fused })
        {
            using var compiled = Session.Start(decoder, prompt, policy, execution: execution);
            Near(first, compiled.NextLogits, tolerance);
            var (expected, actual) = (Kept(read), Kept(compiled));
            Assert.True(expected.Intersect(actual).Count() >= 0.97 * expected.Count, $"{execution}: other positions are kept");
            using var replayed = Session.Replay(decoder, prompt, read.KeptPositions(policy), execution: execution);
            foreach (var token in new[] { 7, 31, 40 })
            {
                var logits = read.Append([token]);
                Near(logits, replayed.Append([token]), tolerance);
            }
            read.Cache.Crop(prompt.Length);
        }

        HashSet<(int, int, long)> Kept(Session session) =>
            [
                .. session
                    .KeptPositions(policy)
                    .Layers.SelectMany((heads, l) => heads.SelectMany((head, g) => head.Select(position => (l, g, position)))),
            ];
    }

    [Theory]
    [InlineData("full")]
    [InlineData("snapkv")]
    public void A_prefill_takes_until_the_device_has_done_it(string policy)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var decoder = ModelShapes.Random(ModelShapes.Find("llama-100m"), CUDA, ScalarType.BFloat16);
        var built = PolicyText.Parse(policy).Build().With(Budget.Tokens(200));
        int[] prompt = [.. Enumerable.Range(0, 8000).Select(i => 37 * i % 32_000)];
        for (var run = 0; run < 3; run++)
        {
            using var session = Session.Start(decoder, prompt, built);
            // A clock that does not wait is read early, and leaves the device at work.
            var left = Stopwatch.StartNew();
            cuda.synchronize();
            Assert.InRange(left.Elapsed, TimeSpan.Zero, 0.2 * session.Report.Elapsed);
            Assert.Null(session.Report.EvictionElapsed); // it runs beside the pass
        }
    }

    [Theory]
    [InlineData("full")]
    [InlineData("snapkv")]
    [InlineData("snapkv[heads=adaptive]")]
    [InlineData("snapkv[layers=global]")]
    [InlineData("lookahead")]
    public void Evicting_beside_the_model_gives_what_evicting_in_order_gives(string policy)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        using var decoder = ModelShapes.Random(ModelShapes.Find("llama-100m"), CUDA, ScalarType.BFloat16);
        using var modules = LookaheadModule.Create(decoder.Config, device: CUDA);
        var built = PolicyText.Parse(policy).Build(new PolicyParts(() => modules, () => throw new InvalidOperationException()));
        // Prompts of several lengths in turn, so that memory changes hands between the streams.
        foreach (var length in new[] { 5000, 700, 2500, 5000, 1300, 5000 })
        {
            int[] prompt = [.. Enumerable.Range(0, length).Select(i => (17 * length + 37 * i) % 32_000)];
            var apart = Execution.Compiled with { EvictsBeside = false };
            using var inOrder = Session.Start(decoder, prompt, built.With(Budget.Tokens(200)), execution: apart);
            using var beside = Session.Start(decoder, prompt, built.With(Budget.Tokens(200)));
            Assert.True(inOrder.NextLogits.equal(beside.NextLogits).all().item<bool>());
            foreach (var (one, other) in inOrder.Cache.Layers.Zip(beside.Cache.Layers))
                for (var head = 0; head < one.KvHeads; head++)
                {
                    var (expected, actual) = (one.Segment(0, head), other.Segment(0, head));
                    Assert.True(expected.Positions.equal(actual.Positions).all().item<bool>());
                    Assert.True(expected.Keys.equal(actual.Keys).all().item<bool>());
                    Assert.True(expected.Values.equal(actual.Values).all().item<bool>());
                }
        }
    }

    [Fact]
    public void Ties_and_protected_positions_are_selected_as_on_the_CPU()
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        var scores = randint(0, 9, [2, 3, 5000]).to(ScalarType.Float32); // ties everywhere
        foreach (var protection in new[] { Protection.None, new Protection(4, 32), Protection.Positions(17, 18, 4000) })
        foreach (var count in new[] { 64, 1023, 4999 })
        {
            using var cpu = Selection.Top(scores, count, protection);
            using var gpu = Selection.Top(scores.cuda(), count, protection);
            Assert.True(cpu.Positions.equal(gpu.Positions.cpu()).all().item<bool>());
        }
    }

    [Fact]
    public void Rows_of_half_precision_queries_are_those_of_the_same_numbers_in_float32()
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var queries = randn(1, 8, 32, 64, device: CUDA).to(ScalarType.BFloat16);
        var keys = randn(1, 2, 3000, 64, device: CUDA).to(ScalarType.BFloat16);
        foreach (var first in new[] { 2968L, 3000L })
        {
            var rows = AttentionRows.Softmax(queries, keys, first);
            Assert.Equal(ScalarType.Float32, rows.dtype);
            Near(AttentionRows.Softmax(queries.to(ScalarType.Float32), keys.to(ScalarType.Float32), first), rows, 1e-5);
        }
    }

    [Theory]
    [InlineData("snapkv", false)]
    [InlineData("snapkv[heads=adaptive]", false)]
    [InlineData("full", false)]
    [InlineData("snapkv", true)]
    public void A_recorded_step_gives_what_a_compiled_one_gives(string policy, bool rolledBack)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(ModelFolders.Resolve("nano"), CUDA, ScalarType.BFloat16);
        int[] prompt = [.. Enumerable.Range(0, 300).Select(i => 20 + 37 * i % 600)];
        var parsed = PolicyText.Parse(policy).Build().With(Budget.Tokens(48));
        using var compiled = Session.Start(decoder, prompt, parsed);
        using var recorded = compiled.Fork(execution: Execution.Graph);
        for (var i = 0; i < 12; i++)
        {
            // Tokens that come by another way, and a way back, in between.
            int[] tokens = i == 6 ? [5, 6, 7] : [30 + 11 * i];
            if (i == 9 && rolledBack)
            {
                compiled.Cache.Crop(301);
                recorded.Cache.Crop(301);
            }
            var expected = compiled.Append(tokens).clone();
            Near(expected.cpu(), recorded.Append(tokens).cpu(), 0.05);
            Assert.Equal(compiled.Cache.LogicalLengths, recorded.Cache.LogicalLengths);
            foreach (var (one, other) in compiled.Cache.Layers.Zip(recorded.Cache.Layers))
            {
                Assert.Equal(one.StoredLengths, other.StoredLengths);
                for (var head = 0; head < one.KvHeads; head++)
                    Assert.True(one.Segment(0, head).Positions.equal(other.Segment(0, head).Positions).all().item<bool>());
            }
        }
    }

    [Fact]
    public void Recorded_steps_of_a_batch_give_what_compiled_ones_give()
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(ModelFolders.Resolve("nano"), CUDA, ScalarType.BFloat16);
        int[][] prompts =
        [
            [.. Enumerable.Range(0, 200).Select(i => 20 + 37 * i % 600)],
            [.. Enumerable.Range(0, 120).Select(i => 30 + 11 * i % 600)],
        ];
        var policy = SnapKV.Policy().With(Budget.Tokens(64));
        using var compiled = BatchSession.Start(decoder, prompts, policy);
        using var recorded = BatchSession.Start(decoder, prompts, policy, execution: Execution.Graph);
        for (var i = 0; i < 8; i++)
        {
            int[][] tokens =
            [
                [30 + i],
                [90 + 7 * i],
            ];
            var expected = compiled.Append(tokens).clone();
            Near(expected.cpu(), recorded.Append(tokens).cpu(), 0.05);
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32, "compiled", 1e-3)]
    [InlineData(ScalarType.BFloat16, "compiled", 0.05)]
    [InlineData(ScalarType.BFloat16, "graph", 0.05)]
    public void Prompts_answered_together_have_the_target_of_the_whole_pass(ScalarType dtype, string way, double tolerance)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(ModelFolders.Resolve("nano"), CUDA, dtype);
        var execution = Execution.Parse(way);
        int[][] prompts =
        [
            .. Enumerable.Range(0, 4).Select(row => Enumerable.Range(0, 300).Select(i => 20 + (37 + row) * i % 600).ToArray()),
        ];
        var session = BatchSession.StartWhole(decoder, prompts, reserve: 40, execution: execution);
        var responses = session.Sample(40, [.. prompts.Select(_ => SamplingOptions.Greedy)]);
        Assert.All(responses, response => Assert.InRange(response.Length, 1, 40));
        using var behind = LookaheadTarget.Behind(decoder, session, responses);
        using var whole = LookaheadTarget.Compute(decoder, prompts, responses, execution: execution);
        foreach (var (expected, actual) in whole.Importance.Zip(behind.Importance))
            Near(expected.cpu(), actual.cpu(), tolerance);
        using var module = LookaheadModule.Create(decoder.Config, device: decoder.Device);
        Near(LookaheadTrainer.Loss(decoder, module, whole).cpu(), LookaheadTrainer.Loss(decoder, module, behind).cpu(), tolerance);
    }

    private static void Near(Tensor expected, Tensor actual, double tolerance)
    {
        var error = (expected - actual).abs().max().item<float>() / expected.abs().max().item<float>();
        Assert.True(error <= tolerance, $"relative difference {error}");
    }
}
