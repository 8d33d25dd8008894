using LookaheadKV.Eviction;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>How many of the entries that are wanted are found: counts, so that heads, layers and prompts add up.</summary>
/// <param name="Found">Entries found.</param>
/// <param name="Wanted">Entries wanted, found or not.</param>
public readonly record struct RecallCount(long Found, long Wanted)
{
    /// <summary>Found / Wanted, 0..1; null where nothing is wanted.</summary>
    public double? Share => Wanted == 0 ? null : (double)Found / Wanted;

    /// <summary>Both together.</summary>
    public static RecallCount operator +(RecallCount a, RecallCount b) => new(a.Found + b.Found, a.Wanted + b.Wanted);
}

/// <summary>Recall of the oracle's kept set, of all of it and of its part in the text.</summary>
/// <param name="Whole">All entries.</param>
/// <param name="Text">Those that StreamingLLM does not keep at the same budget.</param>
public readonly record struct HeadRecall(RecallCount Whole, RecallCount Text)
{
    /// <summary>Both together.</summary>
    public static HeadRecall operator +(HeadRecall a, HeadRecall b) => new(a.Whole + b.Whole, a.Text + b.Text);
}

/// <summary>
/// How much of the oracle's kept set O, the C entries of highest true importance, is among the C entries P of highest predicted importance:
/// <c>|O ∩ P| / |O|</c>. And the same of the oracle's entries in the text, <c>|O ∩ P ∩ T| / |O ∩ T|</c> with <c>T = {j : 4 ≤ j &lt; N - (C - 4)}</c>:
/// what StreamingLLM does not keep at the same C. The first tokens and the last ones are looked at by every row at a prompt's end,
/// whatever it asks, so that they are found without any prediction; T is where there is something to predict.
/// </summary>
public static class OracleRecall
{
    /// <summary>Counts of each kv head.</summary>
    /// <param name="truth">True importance [B,H,N].</param>
    /// <param name="predicted">Predicted importance [B,H,N].</param>
    /// <param name="kvHeads">G: entries are kept a kv head, by the mean over its query heads.</param>
    /// <param name="count">C, 1..N.</param>
    /// <returns>G, sums over rows.</returns>
    public static HeadRecall[] Of(Tensor truth, Tensor predicted, long kvHeads, long count)
    {
        using var scope = NewDisposeScope();
        var length = truth.size(-1);
        var wanted = Kept(truth);
        var found = wanted.logical_and(Kept(predicted));
        var text = Edges((int)count).Mask(length, truth.device).logical_not();
        var counts = stack([found, wanted, found.logical_and(text), wanted.logical_and(text)]).sum([1, 3]); // 4 × [B,G,N] → [4,G]
        var values = counts.cpu().data<long>().ToArray().Chunk((int)kvHeads).ToArray();
        return
        [
            .. Enumerable
                .Range(0, (int)kvHeads)
                .Select(head => new HeadRecall(new(values[0][head], values[1][head]), new(values[2][head], values[3][head]))),
        ];

        Tensor Kept(Tensor importance) => Selection.Top(Grouping.Reduce(importance, kvHeads), count).Mask(length);
    }

    /// <summary>What StreamingLLM keeps of <paramref name="count"/> entries.</summary>
    private static Protection Edges(int count) =>
        new(Math.Min(StreamingLlm.DefaultSinks, count), Math.Max(0, count - StreamingLlm.DefaultSinks));
}
