using System.Runtime.CompilerServices;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Compiled layers and steps against the readable ones, for every family: biases, norms of heads, rotary scalings, windows.</summary>
public sealed class ExecutionTests
{
    private static readonly int[] Prompt = [.. Enumerable.Range(0, 37).Select(i => 3 + 7 * i % 50)];

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var folder in Directory.GetDirectories(Root()).Order())
        foreach (var execution in new[] { "compiled", "fused" })
            cases.Add(Path.GetFileName(folder), execution);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_compiled_pass_gives_every_layer_the_same_rows(string family, string way)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Decoder.Load(Path.Combine(Root(), family));
        var ids = cat([decoder.Ids(Prompt), decoder.Ids([.. Prompt.Reverse()])]); // two rows
        var (read, compiled) = (Rows(Execution.Reference), Rows(Execution.Parse(way)));
        Assert.Equal(3 * decoder.Config.Layers + 1, compiled.Count);
        foreach (var (expected, actual) in read.Zip(compiled))
            Near(expected, actual);

        List<Tensor> Rows(Execution execution)
        {
            var rows = new List<Tensor>();
            var hidden = PromptPass.Run(
                decoder,
                ids,
                (_, layer) =>
                    rows.AddRange(
                        new[] { layer.Queries, layer.Keys, layer.Values }.Select(row => row.clone().MoveToOtherDisposeScope(scope))
                    ),
                execution: execution
            );
            return [.. rows, hidden];
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_compiled_step_gives_the_same_logits_and_the_same_cache(string family, string way)
    {
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(Path.Combine(Root(), family));
        var policy = StreamingLlm.Policy(4).With(Budget.Tokens(12));
        using var read = Session.Start(decoder, Prompt, policy, reserve: 8, execution: Execution.Reference);
        using var compiled = read.Fork(reserve: 8, Execution.Parse(way));
        foreach (var token in new[] { 5, 40, 7, 19 })
        {
            var expected = read.Append([token]);
            Near(expected, compiled.Append([token]));
        }
        Assert.Equal(read.Cache.LogicalLength, compiled.Cache.LogicalLength);
        foreach (var (expected, actual) in read.Cache.Layers.Zip(compiled.Cache.Layers))
        {
            Assert.Equal(expected.StoredLengths, actual.StoredLengths);
            var (one, other) = (expected.Entries(), actual.Entries());
            Assert.True(one.Positions.equal(other.Positions).all().item<bool>());
            Near(one.Keys, other.Keys);
            Near(one.Values, other.Values);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_compiled_step_over_ragged_layers_gives_the_same_logits_and_the_same_cache(string family, string way)
    {
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(Path.Combine(Root(), family));
        int[] prompt = Prompt[..Math.Min(Prompt.Length, (decoder.Config.SlidingWindow ?? 64) - 5)];
        // Head g of layer l keeps every second position from the l-th on, 4 + 3g of them.
        var kept = new KeptPositions(
            "ragged",
            null,
            prompt.Length,
            [
                .. Enumerable
                    .Range(0, decoder.Config.Layers)
                    .Select(l =>
                        (IReadOnlyList<IReadOnlyList<long>>)
                            [
                                .. Enumerable
                                    .Range(0, decoder.Config.KeyValueHeads)
                                    .Select(g => (IReadOnlyList<long>)[.. Enumerable.Range(0, 4 + 3 * g).Select(i => (long)(l + 2 * i))]),
                            ]
                    ),
            ]
        );
        using var read = Session.Replay(decoder, prompt, kept, reserve: 8, execution: Execution.Reference);
        Assert.Contains(read.Cache.Layers, layer => layer.StoredLengths.Distinct().Count() > 1);
        using var compiled = read.Fork(reserve: 8, Execution.Parse(way));
        foreach (var token in new[] { 5, 40, 7 })
        {
            var expected = read.Append([token]);
            Near(expected, compiled.Append([token]));
        }
        foreach (var (expected, actual) in read.Cache.Layers.Zip(compiled.Cache.Layers))
        {
            Assert.Equal(expected.StoredLengths, actual.StoredLengths);
            for (var head = 0L; head < expected.KvHeads; head++)
            {
                var (keys, values, positions) = expected.Segment(0, head);
                var segment = actual.Segment(0, head);
                Assert.True(positions.equal(segment.Positions).all().item<bool>());
                Near(keys, segment.Keys);
                Near(values, segment.Values);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Observers_see_the_same_whether_they_ride_in_the_prompts_pass_or_follow_it(string family, string way)
    {
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(Path.Combine(Root(), family));
        using var module = Trained(decoder.Config);
        int[] prompt = Prompt[..Math.Min(Prompt.Length, (decoder.Config.SlidingWindow ?? 64) - 5)];
        var (expected, expectedLogits) = Observed(Execution.Reference);
        var (actual, actualLogits) = Observed(Execution.Parse(way) with { ObserversRide = true });
        foreach (var (following, riding) in expected.Zip(actual))
            Near(following, riding);
        Near(expectedLogits, actualLogits);

        (IReadOnlyList<Tensor> Scores, Tensor Logits) Observed(Execution execution)
        {
            var watch = new Watch(module);
            var policy = new EvictionPolicy
            {
                Name = "watch",
                Scorer = watch,
                Budget = Budget.Tokens(6),
            };
            using var session = Session.Start(decoder, prompt, policy, reserve: 1, execution: execution);
            foreach (var scores in watch.Seen)
                scores.MoveToOtherDisposeScope(scope);
            Assert.Equal(decoder.Config.Layers, watch.Seen.Count);
            return (watch.Seen, session.NextLogits.clone());
        }
    }

    [Fact]
    public void Compiled_passes_see_what_training_changed()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = Trained(decoder.Config);
        var ride = Execution.Compiled with { ObserversRide = true };
        var before = Score(ride);
        using (no_grad())
            module.Layers[0].Pairs[LinearName.Value].B.mul_(-3);
        var after = Score(ride);
        Assert.False(before.allclose(after));
        Near(Score(Execution.Reference), after);

        Tensor Score(Execution execution)
        {
            var watch = new Watch(module);
            var policy = new EvictionPolicy
            {
                Name = "watch",
                Scorer = watch,
                Budget = Budget.Tokens(6),
            };
            using var session = Session.Start(decoder, [1, 2, 3, 4, 5, 6, 7, 8], policy, execution: execution);
            return watch.Seen[^1].MoveToOtherDisposeScope(scope);
        }
    }

    [Theory]
    [InlineData("reference", false, ScalarType.Float32)]
    [InlineData("compiled", false, ScalarType.Float32)]
    [InlineData("compiled", true, ScalarType.Float32)]
    [InlineData("compiled", true, ScalarType.BFloat16)]
    [InlineData("fused", true, ScalarType.BFloat16)]
    public void Nothing_stays_behind_however_layers_run(string way, bool riding, ScalarType dtype)
    {
        using var decoder = TinyDecoder.Create(dtype);
        using var module = Trained(decoder.Config);
        var execution = Execution.Parse(way) with { ObserversRide = riding };
        var policy = LookaheadMethod.Policy(module).With(Budget.Tokens(4));
        Run(); // weights and pairs are packed once
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 3; i++)
            Run();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Run()
        {
            using var session = Session.Start(decoder, [1, 2, 3, 4, 5, 6, 7, 8], policy, 4, execution: execution);
            session.Append([3]).Dispose();
        }
    }

    [Theory]
    [InlineData("reference")]
    [InlineData("compiled")]
    [InlineData("fused")]
    [InlineData("graph")]
    public void Ways_have_names(string name) => Assert.Equal(name, Execution.Parse(name).ToString());

    [Fact]
    public void An_unknown_way_is_refused() =>
        Assert.Contains("reference, compiled, fused or graph", Assert.Throws<InputException>(() => Execution.Parse("quick")).Message);

    [Fact]
    public void Graphs_are_refused_where_there_can_be_none()
    {
        using var decoder = TinyDecoder.Create();
        var policy = SnapKV.Policy().With(Budget.Tokens(4));
        Refused(() => Session.Start(decoder, Prompt, policy, execution: Execution.Graph));
        Refused(() => BatchSession.Start(decoder, [Prompt], policy, execution: Execution.Graph));
        Refused(() => BatchSession.StartWhole(decoder, [Prompt], execution: Execution.Graph));
        Refused(() => new LookaheadKV.Evaluation.PromptTrace(decoder, Prompt, execution: Execution.Graph));

        static void Refused(Func<object> start) =>
            Assert.Contains("needs a GPU and bfloat16", Assert.Throws<InputException>(start).Message);
    }

    private static LookaheadModule Trained(DecoderConfig config)
    {
        using var noGrad = no_grad();
        using var generator = new Generator(11, CPU);
        var module = LookaheadModule.Create(
            config,
            new LookaheadSettings
            {
                Tokens = 5,
                Rank = 2,
                EmbeddingStd = 1,
            }
        );
        foreach (var pair in module.Layers.SelectMany(layer => layer.Pairs.Values))
            pair.B.copy_(randn(pair.B.shape, generator: generator).mul(0.1));
        return module;
    }

    private static void Near(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        var error = (expected - actual).abs().max().item<float>() / (expected.abs().max().item<float>() + 1e-6f);
        Assert.True(error <= 1e-5f, $"relative difference {error}");
    }

    private static string Root([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../golden/families");

    /// <summary>Lookahead scores, remembered.</summary>
    private sealed class Watch(LookaheadModule module) : LookaheadKV.Scoring.IObserverScorer
    {
        public List<Tensor> Seen { get; } = [];

        public string Name => "watch";

        public LookaheadKV.Passes.IObserver Observe(LookaheadKV.Scoring.PromptContext context) => module;

        public Tensor Score(int layer, LayerRows prompt, LayerRows observer)
        {
            var scores = LookaheadScore.Score(prompt.Keys, observer);
            Seen.Add(scores.clone().DetachFromDisposeScope());
            return scores;
        }
    }
}
