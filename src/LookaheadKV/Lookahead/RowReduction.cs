using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>How the attention of the lookahead rows becomes one score an entry.</summary>
public enum RowReduction
{
    /// <summary>Their mean, the paper's.</summary>
    Mean,

    /// <summary>The most that any row pays.</summary>
    Max,

    /// <summary>Between the two: <c>(mean A⁴)^¼</c>, the log-sum-exp of 4·log A.</summary>
    Power,
}

/// <summary>Reductions of attention rows.</summary>
internal static class RowReductions
{
    private const double Order = 4;

    // A row that underflows to 0 has no logarithm.
    private const double Smallest = 1e-30;

    /// <summary>Attention [B,H,n,N] over its rows: [B,H,N]; differentiable.</summary>
    public static Tensor Reduce(this RowReduction reduction, Tensor attention)
    {
        using var scope = NewDisposeScope();
        var reduced = reduction switch
        {
            RowReduction.Mean => attention.mean([2L]),
            RowReduction.Max => attention.amax([2L]),
            // By logarithms: fourth powers of small weights would be 0, and their root without a gradient.
            RowReduction.Power => attention
                .clamp_min(Smallest)
                .log()
                .mul(Order)
                .logsumexp(2)
                .sub(Math.Log(attention.size(2)))
                .div(Order)
                .exp(),
            _ => throw new ArgumentOutOfRangeException(nameof(reduction), reduction, null),
        };
        return reduced.MoveToOuterDisposeScope();
    }
}
