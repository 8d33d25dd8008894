using LookaheadKV.Eviction;
using LookaheadKV.Methods;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>How much of what is wanted is found: sums, so that heads, layers and prompts add up.</summary>
/// <param name="Found">What of it is found.</param>
/// <param name="Wanted">All of it.</param>
public readonly record struct RecallSum(double Found, double Wanted)
{
    /// <summary>Found / Wanted, 0..1; null where nothing is wanted.</summary>
    public double? Share => Wanted == 0 ? null : Found / Wanted;

    /// <summary>Both together.</summary>
    public static RecallSum operator +(RecallSum a, RecallSum b) => new(a.Found + b.Found, a.Wanted + b.Wanted);
}

/// <summary>Recall of the oracle's kept set, of all of it and of its part in the text.</summary>
/// <param name="Whole">All entries, counted.</param>
/// <param name="Text">Those that StreamingLLM does not keep at the same budget, counted.</param>
/// <param name="TextAttention">The same entries, each with the attention that the answer pays it.</param>
public readonly record struct HeadRecall(RecallSum Whole, RecallSum Text, RecallSum TextAttention)
{
    /// <summary>Both together.</summary>
    public static HeadRecall operator +(HeadRecall a, HeadRecall b) =>
        new(a.Whole + b.Whole, a.Text + b.Text, a.TextAttention + b.TextAttention);
}

/// <summary>
/// How much of the oracle's kept set O, the C entries of highest true importance s, is among the C entries P of highest predicted importance:
/// <c>|O ∩ P| / |O|</c>. The same of the oracle's entries in the text, <c>|O ∩ P ∩ T| / |O ∩ T|</c> with <c>T = {j : 4 ≤ j &lt; N - (C - 4)}</c>:
/// what StreamingLLM does not keep at the same C. The first tokens and the last ones are looked at by every row at a prompt's end,
/// whatever it asks, so that they are found without any prediction; T is where there is something to predict. And the share of the answer's attention
/// on those entries, <c>Σ s[j] over O ∩ P ∩ T / Σ s[j] over O ∩ T</c>: the last of 64 entries often holds a hundredth of what the first one does.
/// </summary>
public static class OracleRecall
{
    /// <summary>Sums of each kv head.</summary>
    /// <param name="truth">True importance [B,H,N].</param>
    /// <param name="predicted">Predicted importance [B,H,N].</param>
    /// <param name="kvHeads">G: entries are kept a kv head, by the mean over its query heads.</param>
    /// <param name="count">C, 1..N.</param>
    /// <returns>G, sums over rows.</returns>
    public static HeadRecall[] Of(Tensor truth, Tensor predicted, long kvHeads, long count)
    {
        using var scope = NewDisposeScope();
        var length = truth.size(-1);
        var importance = Grouping.Reduce(truth, kvHeads);
        var wanted = Kept(importance);
        var found = wanted.logical_and(Kept(Grouping.Reduce(predicted, kvHeads)));
        var text = Edges((int)count).Mask(length, truth.device).logical_not();
        var inText = importance.mul(text); // [B,G,N]
        Tensor[] parts = [found, wanted, found.logical_and(text), wanted.logical_and(text), inText.mul(found), inText.mul(wanted)];
        var sums = stack([.. parts.Select(part => part.to(ScalarType.Float64))]).sum([1, 3]).cpu(); // 6 × [B,G,N] → [6,G]
        var values = sums.data<double>().ToArray().Chunk((int)kvHeads).ToArray();
        return [.. Enumerable.Range(0, (int)kvHeads).Select(head => new HeadRecall(Sum(0, head), Sum(2, head), Sum(4, head)))];

        RecallSum Sum(int part, int head) => new(values[part][head], values[part + 1][head]);

        Tensor Kept(Tensor scores)
        {
            using var kept = Selection.Top(scores, count);
            return kept.Mask(length);
        }
    }

    /// <summary>What StreamingLLM keeps of <paramref name="count"/> entries.</summary>
    private static Protection Edges(int count) =>
        new(Math.Min(StreamingLlm.DefaultSinks, count), Math.Max(0, count - StreamingLlm.DefaultSinks));
}
