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
    [InlineData(Execution.Reference, "full")]
    [InlineData(Execution.Reference, "adakv[window=2]")]
    [InlineData(Execution.Compiled, "snapkv[window=2]")]
    [InlineData(Execution.Compiled, "adakv[window=2]")]
    public void Several_tokens_at_once_give_logits_and_rows_of_one_after_the_other(Execution execution, string text)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        decoder.Execution = execution;
        var policy = PolicyText.Parse(text).Build();
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(4));
        int[] tokens = [7, 2, 8];
        using var together = Session.Start(decoder, Prompt, policy, 3);
        using var apart = Session.Start(decoder, Prompt, policy, 3);
        using var noGrad = no_grad();
        var (all, each) = (Rows(), Rows());
        var logits = Decoding.Extend(decoder, together.Cache, decoder.Ids(tokens), Into(all));
        var steps = tokens.Select(token => Decoding.Extend(decoder, apart.Cache, decoder.Ids([token]), Into(each))[0]).ToArray();
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
    [InlineData(Execution.Reference)]
    [InlineData(Execution.Compiled)]
    public void The_last_row_of_a_pass_is_the_last_of_all_rows_and_layers_come_in_order(Execution execution)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        decoder.Execution = execution;
        var (whole, last) = (new List<int>(), new List<int>());
        var ids = decoder.Ids(Prompt);
        var rows = PromptPass.Run(decoder, ids, (layer, _) => whole.Add(layer));
        var row = PromptPass.ToLastRow(decoder, ids, new Listener(last), default);
        Assert.Equal([1, 10, 8], rows.shape);
        Assert.Equal([1, 1, 8], row.shape);
        Assert.True(row[0, 0].allclose(rows[0, ^1], 1e-4, 1e-5));
        Assert.Equal([0, 1], whole);
        Assert.Equal([0, 1], last);
    }

    /// <summary>Tokens appended one by one or together see what one pass lets them see: no further back than the window.</summary>
    [Theory]
    [InlineData(Execution.Reference)]
    [InlineData(Execution.Compiled)]
    public void A_sliding_window_hides_as_much_from_steps_as_from_a_pass(Execution execution)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Windowed(6);
        var wanted = decoder.Logits(PromptPass.Run(decoder, decoder.Ids(Prompt), (_, _) => { }))[0];
        decoder.Execution = execution;
        Assert.True(decoder.Logits(PromptPass.Run(decoder, decoder.Ids(Prompt), (_, _) => { }))[0].allclose(wanted, 1e-4, 1e-5));
        for (var first = 1; first < Prompt.Length; first++)
        {
            using var together = Session.Start(decoder, Prompt[..first], EvictionPolicy.Full, Prompt.Length);
            Assert.True(together.Append(Prompt[first..]).allclose(wanted[first..], 1e-4, 1e-5));
            using var apart = Session.Start(decoder, Prompt[..first], EvictionPolicy.Full, Prompt.Length);
            var logits = Prompt[first..].Select(token => apart.Append([token])).ToArray();
            Assert.True(cat(logits).allclose(wanted[first..], 1e-4, 1e-5));
        }
    }

    /// <summary>The longest row decides what all need: a window, and room in the context.</summary>
    [Theory]
    [InlineData(Execution.Reference, 1)]
    [InlineData(Execution.Reference, 2)]
    [InlineData(Execution.Compiled, 1)]
    [InlineData(Execution.Compiled, 2)]
    public void A_short_row_does_not_hide_what_a_long_one_needs(Execution execution, int count)
    {
        using var scope = NewDisposeScope();
        using var decoder = Windowed(6);
        decoder.Execution = execution;
        int[][] prompts = [Prompt[..3], Prompt[..8]];
        int[][] more = [Prompt[..count], Prompt[^count..]];
        using var batch = BatchSession.Start(decoder, prompts, EvictionPolicy.Full, reserve: 4);
        var logits = batch.Append(more);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, prompts[row], EvictionPolicy.Full, 4);
            Assert.True(alone.Append(more[row]).allclose(logits[row], 1e-4, 1e-5));
        }

        using var full = BatchSession.Start(decoder, [Prompt[..3], [.. Enumerable.Repeat(1, 25 - count)]], EvictionPolicy.Full, reserve: 4);
        Assert.Contains("25 tokens do not fit", Assert.Throws<InputException>(() => full.Append(more)).Message);
    }

    [Theory]
    [InlineData(Execution.Reference)]
    [InlineData(Execution.Compiled)]
    public void One_token_needs_room_in_the_reserve_and_in_the_context(Execution execution)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        decoder.Execution = execution;
        using var session = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 0);
        Assert.Contains("larger reserve", Assert.Throws<InvalidOperationException>(() => session.Append([1])).Message);
        Assert.All(session.Cache.Layers, layer => Assert.All(layer.StoredLengths, stored => Assert.Equal(10, stored)));
        Assert.Equal(10, session.Cache.LogicalLength);

        using var nearlyFull = Session.Start(decoder, [.. Enumerable.Repeat(1, 23)], EvictionPolicy.Full, reserve: 4);
        Decoding.Extend(decoder, nearlyFull.Cache, decoder.Ids([1]));
        Assert.Throws<InputException>(() => Decoding.Extend(decoder, nearlyFull.Cache, decoder.Ids([1])));
    }

    /// <summary>A layer's tensors are gone when the next one runs.</summary>
    [Theory]
    [InlineData(Execution.Reference)]
    [InlineData(Execution.Compiled)]
    public void A_pass_holds_no_more_at_its_last_layer_than_at_its_first(Execution execution)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var config = TinyDecoder.Config with { Layers = 5 };
        using var decoder = new Decoder(config, DecoderWeights.Collect(config, name => ones(TinyDecoder.Shape(name))));
        decoder.Execution = execution;
        var ids = decoder.Ids(Prompt);
        var held = new List<long>();
        PromptPass.Run(decoder, ids, (_, _) => held.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount));
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
            decoder.Execution = execution;
            using var stop = new CancellationTokenSource();
            var passed = 0;
            Assert.Throws<OperationCanceledException>(() => PromptPass.Run(decoder, decoder.Ids(Prompt), Stop, stop.Token));
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
        decoder.Execution = Execution.Compiled;
        Assert.False(PromptPass.Carries(decoder, one));
        decoder.ObserversRide = true;
        using (no_grad())
            Assert.Equal((true, false), (PromptPass.Carries(decoder, one), PromptPass.Carries(decoder, two)));
        decoder.Execution = Execution.Reference;
        Assert.False(PromptPass.Carries(decoder, one));
    }

    /// <summary>Live or remembered, riding or following: the layers come once, in order, with the same rows of the observer.</summary>
    [Theory]
    [InlineData(Execution.Reference, false)]
    [InlineData(Execution.Compiled, false)]
    [InlineData(Execution.Compiled, true)]
    public void An_observer_sees_live_and_remembered_layers_alike(Execution execution, bool ride)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        decoder.Execution = execution;
        decoder.ObserversRide = ride;
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
        PromptPass.Run(decoder, decoder.Ids(Prompt), (_, rows) => remembered.Add(rows.Detach()));
        var (live, again) = (Observed(out var first), Observed(out var second));
        using (live)
            PromptPass.ToLastRow(decoder, decoder.Ids(Prompt), live, default);
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
        decoder.Execution = Execution.Compiled;
        using var module = LookaheadModule.Create(decoder.Config, new() { Tokens = 3, Rank = 2, Targets = LinearNames.All }, seed: 5);
        using var generator = new Generator(3, CPU);
        using (no_grad())
            foreach (var pair in module.Layers.SelectMany(layer => layer.Pairs.Values))
                pair.B.normal_(0, 0.5, generator);
        var policy = LookaheadMethod.Policy(module).With(Budget.Tokens(4));
        using var following = Session.Start(decoder, Prompt, policy, 1);
        decoder.ObserversRide = true;
        using var riding = Session.Start(decoder, Prompt, policy, 1);
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
            decoder.Execution = Execution.Compiled;
            decoder.ObserversRide = ride;
            using var module = LookaheadModule.Create(config, new() { Tokens = 3, Rank = 1 });
            Session.Start(decoder, Prompt, LookaheadMethod.Policy(module).With(Budget.Tokens(4)), 1).Dispose();
        }
    }

    private static Decoder Windowed(int window)
    {
        var tiny = TinyDecoder.Create();
        return new Decoder(tiny.Config with { SlidingWindow = window }, tiny.Weights) { Execution = Execution.Reference };
    }
}
