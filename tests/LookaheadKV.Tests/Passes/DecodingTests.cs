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

namespace LookaheadKV.Tests.Passes;

/// <summary>Passes over prompts and steps over caches: pieces give what the whole gives, and whoever listens hears each layer once.</summary>
public sealed class DecodingTests
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];

    [Theory]
    [InlineData("reference", "full")]
    [InlineData("reference", "adakv[window=2]")]
    [InlineData("compiled", "snapkv[window=2]")]
    [InlineData("compiled", "adakv[window=2]")]
    public void Several_tokens_at_once_give_logits_and_rows_of_one_after_the_other(string way, string text)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var execution = Execution.Parse(way);
        var policy = PolicyText.Parse(text).Build();
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(4));
        int[] tokens = [7, 2, 8];
        using var together = Session.Start(decoder, Prompt, policy, 3, execution: execution);
        using var apart = Session.Start(decoder, Prompt, policy, 3, execution: execution);
        using var noGrad = no_grad();
        var (all, each) = (Rows(), Rows());
        var logits = Decoding.Extend(decoder, together.Cache, decoder.Ids(tokens), Into(all), execution);
        var steps = tokens.Select(token => Decoding.Extend(decoder, apart.Cache, decoder.Ids([token]), Into(each), execution)[0]).ToArray();
        Assert.True(cat(steps).allclose(logits[0], 1e-4, 1e-5));
        Assert.Equal((13, 13), (together.Cache.LogicalLength, apart.Cache.LogicalLength));
        for (var layer = 0; layer < 2; layer++)
        {
            Assert.Equal((1, 3), (all[layer].Count, each[layer].Count));
            Assert.True(cat([.. each[layer]], 2).allclose(all[layer][0], 1e-4, 1e-5));
        }

        static List<Tensor>[] Rows() =>
            [
                [],
                [],
            ];
        Action<int, LayerRows> Into(List<Tensor>[] heard) =>
            (layer, rows) => heard[layer].Add(rows.Keys.clone().MoveToOtherDisposeScope(scope));
    }

    [Theory]
    [InlineData("reference")]
    [InlineData("compiled")]
    public void The_last_row_of_a_pass_is_the_last_of_all_rows_and_layers_come_in_order(string way)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        var execution = Execution.Parse(way);
        var (whole, last) = (new List<int>(), new List<int>());
        var ids = decoder.Ids(Prompt);
        var rows = PromptPass.Run(decoder, ids, (layer, _) => whole.Add(layer), execution: execution);
        var row = PromptPass.ToLastRow(decoder, ids, new Listener(last), execution, default);
        Assert.Equal([1, 10, 8], rows.shape);
        Assert.Equal([1, 1, 8], row.shape);
        Assert.True(row[0, 0].allclose(rows[0, ^1], 1e-4, 1e-5));
        Assert.Equal([0, 1], whole);
        Assert.Equal([0, 1], last);
    }

    /// <summary>Tokens appended one by one or together see what one pass lets them see: no further back than the window.</summary>
    [Theory]
    [InlineData("reference")]
    [InlineData("compiled")]
    public void A_sliding_window_hides_as_much_from_steps_as_from_a_pass(string way)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Windowed(6);
        var execution = Execution.Parse(way);
        var wanted = Whole(Execution.Reference);
        Assert.True(Whole(execution).allclose(wanted, 1e-4, 1e-5));
        for (var first = 1; first < Prompt.Length; first++)
        {
            using var together = Session.Start(decoder, Prompt[..first], EvictionPolicy.Full, Prompt.Length, execution: execution);
            Assert.True(together.Append(Prompt[first..]).allclose(wanted[first..], 1e-4, 1e-5));
            using var apart = Session.Start(decoder, Prompt[..first], EvictionPolicy.Full, Prompt.Length, execution: execution);
            var logits = Prompt[first..].Select(token => apart.Append([token])).ToArray();
            Assert.True(cat(logits).allclose(wanted[first..], 1e-4, 1e-5));
        }

        Tensor Whole(Execution execution) =>
            decoder.Logits(PromptPass.Run(decoder, decoder.Ids(Prompt), (_, _) => { }, execution: execution))[0];
    }

    /// <summary>The longest row decides what all need: a window, and room in the context.</summary>
    [Theory]
    [InlineData("reference", 1)]
    [InlineData("reference", 2)]
    [InlineData("compiled", 1)]
    [InlineData("compiled", 2)]
    public void A_short_row_does_not_hide_what_a_long_one_needs(string way, int count)
    {
        using var scope = NewDisposeScope();
        using var decoder = Windowed(6);
        var execution = Execution.Parse(way);
        int[][] prompts = [Prompt[..3], Prompt[..8]];
        int[][] more = [Prompt[..count], Prompt[^count..]];
        using var batch = BatchSession.Start(decoder, prompts, EvictionPolicy.Full, reserve: 4, execution: execution);
        var logits = batch.Append(more);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, prompts[row], EvictionPolicy.Full, 4, execution: execution);
            Assert.True(alone.Append(more[row]).allclose(logits[row], 1e-4, 1e-5));
        }

        int[][] longer = [Prompt[..3], [.. Enumerable.Repeat(1, 25 - count)]];
        using var full = BatchSession.Start(decoder, longer, EvictionPolicy.Full, reserve: 4, execution: execution);
        Assert.Contains("25 tokens do not fit", Assert.Throws<InputException>(() => full.Append(more)).Message);
    }

    [Theory]
    [InlineData("reference")]
    [InlineData("compiled")]
    public void One_token_needs_room_in_the_reserve_and_in_the_context(string way)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var execution = Execution.Parse(way);
        using var session = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 0, execution: execution);
        Assert.Contains("larger reserve", Assert.Throws<InvalidOperationException>(() => session.Append([1])).Message);
        Assert.All(session.Cache.Layers, layer => Assert.All(layer.StoredLengths, stored => Assert.Equal(10, stored)));
        Assert.Equal(10, session.Cache.LogicalLength);

        using var nearlyFull = Session.Start(decoder, [.. Enumerable.Repeat(1, 23)], EvictionPolicy.Full, reserve: 4);
        Decoding.Extend(decoder, nearlyFull.Cache, decoder.Ids([1]), execution: execution);
        Assert.Throws<InputException>(() => Decoding.Extend(decoder, nearlyFull.Cache, decoder.Ids([1]), execution: execution));
    }

    /// <summary>A layer's tensors are gone when the next one runs.</summary>
    [Theory]
    [InlineData("reference")]
    [InlineData("compiled")]
    public void A_pass_holds_no_more_at_its_last_layer_than_at_its_first(string way)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var config = TinyDecoder.Config with { Layers = 5 };
        using var decoder = new Decoder(config, DecoderWeights.Collect(config, name => ones(TinyDecoder.Shape(name))));
        var ids = decoder.Ids(Prompt);
        var held = new List<long>();
        PromptPass.Run(
            decoder,
            ids,
            (_, _) => held.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount),
            execution: Execution.Parse(way)
        );
        Assert.Equal(5, held.Count);
        Assert.Single(held.Distinct());
    }

    [Fact]
    public void A_pass_looks_at_the_cancellation_before_every_layer()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        foreach (var execution in new[] { Execution.Reference, Execution.Compiled })
        {
            using var stop = new CancellationTokenSource();
            var passed = 0;
            Assert.Throws<OperationCanceledException>(() => PromptPass.Run(decoder, decoder.Ids(Prompt), Stop, stop.Token, execution));
            Assert.Equal(1, passed);

            void Stop(int layer, LayerRows rows)
            {
                passed++;
                stop.Cancel();
            }
        }
    }

    /// <summary>Observer rows ride where the decoder lets them, in compiled passes over one prompt.</summary>
    [Fact]
    public void Observers_ride_in_compiled_passes_over_one_prompt_alone()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var (one, two) = (decoder.Ids(Prompt), cat([decoder.Ids(Prompt), decoder.Ids(Prompt)]));
        using var noGrad = no_grad();
        Assert.False(PromptPass.Carries(decoder, one, Execution.Compiled));
        var ride = Execution.Compiled with { ObserversRide = true };
        Assert.Equal((true, false), (PromptPass.Carries(decoder, one, ride), PromptPass.Carries(decoder, two, ride)));
        Assert.False(PromptPass.Carries(decoder, one, Execution.Reference with { ObserversRide = true }));
    }

    /// <summary>Live or remembered, riding or following: the layers come once, in order, with the same rows of the observer.</summary>
    [Theory]
    [InlineData("reference", false)]
    [InlineData("compiled", false)]
    [InlineData("compiled", true)]
    public void An_observer_sees_live_and_remembered_layers_alike(string way, bool ride)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        var execution = Execution.Parse(way) with { ObserversRide = ride };
        using var module = LookaheadModule.Create(
            decoder.Config,
            new()
            {
                Tokens = 3,
                Rank = 1,
                EmbeddingStd = 1,
            }
        );
        var remembered = new List<LayerRows>();
        PromptPass.Run(decoder, decoder.Ids(Prompt), (_, rows) => remembered.Add(rows.Detach()), execution: execution);
        var (live, again) = (Observed(out var first), Observed(out var second));
        using (live)
            PromptPass.ToLastRow(decoder, decoder.Ids(Prompt), live, execution, default);
        using (again)
            remembered.HandTo(again);
        Assert.Equal([0, 1], first.Select(seen => seen.Layer));
        foreach (var (one, other) in first.Zip(second, (one, other) => (one, other)))
        {
            Assert.Equal(one.Layer, other.Layer);
            Assert.True(one.Rows.Queries.allclose(other.Rows.Queries, 1e-4, 1e-5));
            Assert.True(one.Rows.Keys.allclose(other.Rows.Keys, 1e-4, 1e-5));
            Assert.True(one.Rows.Values.allclose(other.Rows.Values, 1e-4, 1e-5));
        }
        foreach (var rows in remembered)
            rows.Dispose();

        ObserverPass Observed(out List<(int Layer, LayerRows Rows)> seen)
        {
            var heard = seen = [];
            return new(decoder, module, 1, Prompt.Length, (layer, _, rows) => heard.Add((layer, Kept(rows))));
        }

        LayerRows Kept(LayerRows rows) => new(Copy(rows.Queries), Copy(rows.Keys), Copy(rows.Values));
        Tensor Copy(Tensor rows) => rows.clone().MoveToOtherDisposeScope(scope);
    }

    private sealed class Listener(List<int> heard) : ILayerObserver
    {
        public void Layer(int layer, LayerRows prompt) => heard.Add(layer);
    }

    /// <summary>Rows that ride see what rows see that follow, through their own pairs, and the prompt's rows do not see them.</summary>
    [Fact]
    public void Riding_rows_score_as_following_ones()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(
            decoder.Config,
            new()
            {
                Tokens = 3,
                Rank = 2,
                Targets = LinearNames.All,
            },
            seed: 5
        );
        using var generator = new Generator(3, CPU);
        using (no_grad())
            foreach (var pair in module.Layers.SelectMany(layer => layer.Pairs.Values))
                pair.B.normal_(0, 0.5, generator);
        var policy = LookaheadMethod.Policy(module).With(Budget.Tokens(4));
        using var following = Session.Start(decoder, Prompt, policy, 1);
        using var riding = Session.Start(decoder, Prompt, policy, 1, execution: Execution.Compiled with { ObserversRide = true });
        Assert.True(riding.NextLogits.allclose(following.NextLogits, 1e-4, 1e-5));
        Assert.Equal(following.KeptPositions(policy).Layers, riding.KeptPositions(policy).Layers);
    }

    [Fact]
    public void An_observers_rows_are_its_passes_own()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        var layers = new List<LayerRows>();
        PromptPass.Run(decoder, decoder.Ids(Prompt), (_, rows) => layers.Add(rows.Detach()));
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var heard = new List<long[]>();
        // Each layer has a scope of its own, which the rows on their way must leave.
        using (var pass = new ObserverPass(decoder, new ResponseRows([1, 2]), 1, Prompt.Length, (_, _, rows) => heard.Add(rows.Keys.shape)))
            layers.HandTo(pass);
        Assert.Equal(
            [
                [1, 2, 2, 4],
                [1, 2, 2, 4],
            ],
            heard
        );
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        foreach (var rows in layers)
            rows.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Observers_need_attention_to_the_prompt_and_to_themselves(bool ride)
    {
        using var scope = NewDisposeScope();
        Start(window: 13);
        Assert.Contains(
            "13 tokens are more than the model's sliding_window 12",
            Assert.Throws<InputException>(() => Start(window: 12)).Message
        );

        void Start(int window)
        {
            var config = TinyDecoder.Config with { SlidingWindow = window };
            using var decoder = new Decoder(config, DecoderWeights.Collect(config, name => ones(TinyDecoder.Shape(name))));
            var execution = Execution.Compiled with { ObserversRide = ride };
            using var module = LookaheadModule.Create(config, new() { Tokens = 3, Rank = 1 });
            Session.Start(decoder, Prompt, LookaheadMethod.Policy(module).With(Budget.Tokens(4)), 1, execution: execution).Dispose();
        }
    }

    private static Decoder Windowed(int window)
    {
        var tiny = TinyDecoder.Create();
        return new Decoder(tiny.Config with { SlidingWindow = window }, tiny.Weights);
    }
}
