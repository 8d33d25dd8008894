using LookaheadKV.Attention;
using LookaheadKV.Evaluation;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>How near an evicted cache stays to the full one, beside plain numbers, token by token.</summary>
public class FidelityTests
{
    private static readonly int[] Prompt = Talkative();

    // A prompt that the tiny model does not answer with its end token at once.
    private static int[] Talkative()
    {
        using var decoder = TinyDecoder.Create();
        for (var seed = 0; ; seed++)
        {
            var random = new Random(seed);
            int[] prompt = [.. Enumerable.Range(0, 10).Select(_ => random.Next(1, 13))];
            if (Session.GreedyResponse(decoder, prompt, 6).TakeWhile(token => token != 0).Count() >= 4)
                return prompt;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void The_full_cache_held_against_itself_loses_exactly_nothing(int question)
    {
        using var decoder = TinyDecoder.Create();
        using var trace = new PromptTrace(decoder, Prompt, question: Prompt[..question]);
        using var fidelity = Fidelity.Of(decoder, trace, 6)!;
        var all = KeptSet.Of(
            [.. Enumerable.Range(0, 2).Select(_ => (IReadOnlyList<long>)[.. Enumerable.Range(0, Prompt.Length).Select(i => (long)i)])],
            CPU
        );
        foreach (var kept in (IReadOnlyList<KeptSet>?[])[null, [all, all]])
        {
            var scores = fidelity.Of(kept);
            Assert.Equal((0.0, 1.0, 0.0), (scores.Divergence, scores.EqualArgmax, scores.LostLogLikelihood));
            Assert.Equal(1, scores.KeptAttention, 6);
        }
    }

    [Theory]
    [InlineData("snapkv[window=2]", 0)]
    [InlineData("adakv[window=2]", 0)]
    [InlineData("streaming", 0)]
    [InlineData("keydiff", 3)]
    public void Every_mean_is_its_definition_one_token_after_the_other(string text, int question)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var policy = PolicyText.Parse(text).Build();
        int[] asked = Prompt[1..(1 + question)];
        using var trace = new PromptTrace(decoder, Prompt, question: asked);
        using var fidelity = Fidelity.Of(decoder, trace, 6)!;
        var kept = PromptEviction.Select(policy, trace.Scores(policy, 5), 10);
        var scores = fidelity.Of(kept);

        // The answer one token at a time, over both caches.
        var answer = trace.Response.Take(6).TakeWhile(token => token != 0).ToArray();
        int[] forced = [.. asked, .. answer];
        using var full = trace.Evict(null, forced.Length);
        using var evicted = trace.Evict(kept, forced.Length);
        var (divergence, equal, lost, counted) = (0.0, 0, 0.0, 0);
        for (var i = 0; i < forced.Length; i++)
        {
            var (p, q) = (Next(full), Next(evicted));
            if (i < question - 1)
                continue;
            counted++;
            divergence += p.Zip(q, (a, b) => a * Math.Log(a / b)).Sum();
            var own = Array.IndexOf(p, p.Max());
            equal += own == Array.IndexOf(q, q.Max()) ? 1 : 0;
            lost += Math.Log(p[own] / q[own]);

            double[] Next(LookaheadKV.Cache.KeyValueCache cache) =>
                [.. Decoding.Extend(decoder, cache, decoder.Ids([forced[i]]))[0, 0].to(ScalarType.Float64).softmax(-1).data<double>()];
        }
        Assert.Equal(counted, scores.Tokens);
        Assert.Equal(divergence / counted, scores.Divergence, 1e-5);
        Assert.Equal((double)equal / counted, scores.EqualArgmax, 9);
        Assert.Equal(lost / counted, scores.LostLogLikelihood, 1e-5);
        Assert.True(scores.Divergence > 0);
        Assert.Equal(Share(forced, counted), scores.KeptAttention, 1e-5);

        // Attention rows of one whole pass, head by head.
        double Share(int[] behind, int rows)
        {
            var shares = new List<double>();
            PromptPass.Run(
                decoder,
                decoder.Ids([.. Prompt, .. behind]),
                (layer, all) =>
                {
                    var attention = AttentionRows.Softmax(all.Queries, all.Keys, 0)[0];
                    var mask = kept[layer].Mask(Prompt.Length);
                    for (var head = 0; head < 4; head++)
                    {
                        var (inside, of) = (0.0, 0.0);
                        for (var row = Prompt.Length + behind.Length - rows; row < Prompt.Length + behind.Length; row++)
                        for (var j = 0; j < Prompt.Length; j++)
                        {
                            var weight = attention[head, row, j].item<float>();
                            of += weight;
                            inside += mask[0, head / 2, j].item<bool>() ? weight : 0;
                        }
                        shares.Add(inside / of);
                    }
                }
            );
            return shares.Average();
        }
    }

    [Fact]
    public void A_cache_is_afterwards_as_it_was()
    {
        using var decoder = TinyDecoder.Create();
        using var trace = new PromptTrace(decoder, Prompt);
        using var fidelity = Fidelity.Of(decoder, trace, 6)!;
        var kept = PromptEviction.Select(KeyDiff.Method.Policy(), trace.Scores(KeyDiff.Method.Policy(), 4), 8);
        using var cache = trace.Evict(kept, 6);
        Assert.Equal(fidelity.Of(cache, kept), fidelity.Of(cache, kept));
        Assert.Equal(Prompt.Length, cache.LogicalLength);
    }

    [Fact]
    public void An_answer_is_as_long_as_asked_whatever_the_trace_holds()
    {
        using var decoder = TinyDecoder.Create();
        using var trace = new PromptTrace(decoder, Prompt, maxResponse: 2);
        var whole = Session
            .GreedyResponse(decoder, Prompt, 5, TestContext.Current.CancellationToken)
            .TakeWhile(token => token != 0)
            .Count();
        using var longer = Fidelity.Of(decoder, trace, 5);
        using var shorter = Fidelity.Of(decoder, trace, 1);
        Assert.Equal(whole, longer!.Tokens);
        Assert.Equal(1, shorter!.Tokens);
    }

    [Fact]
    public void Differences_are_paired_and_settled_only_where_the_interval_leaves_out_0()
    {
        double[] baseline = [.. Enumerable.Range(0, 40).Select(i => (double)(i % 7))]; // prompts differ widely
        double[] lower = [.. baseline.Select((x, i) => x - 0.1 - 0.01 * (i % 3))];
        var difference = PairedDifference.Of(lower, baseline);
        Assert.Equal(-0.1 - 0.01 * 39 / 40, difference.Mean, 9);
        Assert.True(difference is { IsSettled: true, High: < 0, Prompts: 40 });
        Assert.Contains("lookahead is below snapkv, by -0.110", difference.Sentence("KL at 128", "lookahead", "snapkv"));

        var same = PairedDifference.Of(baseline, [.. baseline.Select((x, i) => x + (i % 2 == 0 ? 1 : -1))]);
        Assert.False(same.IsSettled);
        Assert.Contains("is not settled by 40 prompts", same.Sentence("KL", "a", "b"));
        Assert.False(PairedDifference.Of([1, 1], [2, 2]).IsSettled); // two prompts settle nothing
        Assert.Throws<ArgumentException>(() => PairedDifference.Of([1], [1, 2]));
        Assert.Throws<ArgumentException>(() => PairedDifference.Of([], []));
    }
}
