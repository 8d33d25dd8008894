using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>How the scores of the query heads that share a key/value head become one.</summary>
public enum GroupReduction
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>Their maximum.</summary>
    Max,
}

/// <summary>First step after scoring: one score a key/value head, because entries are kept a key/value head.</summary>
public static class Grouping
{
    /// <summary>Scores [B,H,N] to [B,G,N]; scores that already are [B,G,N] pass unchanged.</summary>
    /// <param name="scores">Scores, higher = keep.</param>
    /// <param name="kvHeads">G.</param>
    /// <param name="reduction">Mean or maximum over the H/G query heads of a group.</param>
    public static Tensor Reduce(Tensor scores, long kvHeads, GroupReduction reduction = GroupReduction.Mean)
    {
        var heads = scores.size(1);
        if (heads == kvHeads)
            return scores.alias();
        if (heads % kvHeads != 0)
            throw new ArgumentException($"{heads} query heads cannot share {kvHeads} key/value heads.");
        using var scope = NewDisposeScope();
        var grouped = scores.unflatten(1, kvHeads, heads / kvHeads); // [B,H,N] → [B,G,H/G,N]
        var reduced = reduction == GroupReduction.Mean ? grouped.mean([2L]) : grouped.amax([2L]);
        return reduced.MoveToOuterDisposeScope();
    }
}
