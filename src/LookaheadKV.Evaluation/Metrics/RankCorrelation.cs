using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing the mean of theirs. 1 for the same order, -1 for the opposite one.</summary>
/// <remarks>MathNet has the same of two arrays; this is of all rows of tensors at once, where they are.</remarks>
public static class RankCorrelation
{
    /// <summary>Correlation along the last dimension, float64: [..., N] and [..., N] to [...]; 0 where one side is constant.</summary>
    public static Tensor Spearman(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Centred(Ranks(a)), Centred(Ranks(b)));
        var size = (x.square().sum(-1) * y.square().sum(-1)).sqrt();
        return (x * y).sum(-1).div(size).nan_to_num(0).MoveToOuterDisposeScope();
    }

    // A value's rank: half of those below it and of those not above it, counted by searching the sorted row.
    private static Tensor Ranks(Tensor values)
    {
        var (sorted, _) = values.contiguous().sort(-1);
        var below = searchsorted(sorted, values.contiguous(), right: false);
        var notAbove = searchsorted(sorted, values.contiguous(), right: true);
        return (below + notAbove).to(ScalarType.Float64).mul(0.5);
    }

    private static Tensor Centred(Tensor ranks) => ranks - ranks.mean([-1L], keepdim: true);
}
