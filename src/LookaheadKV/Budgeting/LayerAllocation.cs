using System.Globalization;

namespace LookaheadKV.Budgeting;

/// <summary>How a budget is divided among the layers.</summary>
public abstract record LayerAllocation
{
    private LayerAllocation() { }

    /// <summary>Every layer the same.</summary>
    public static LayerAllocation Uniform { get; } = new Even();

    /// <summary>Every layer the same; where that leaves a remainder, the lower layers hold one entry more.</summary>
    public sealed record Even : LayerAllocation
    {
        /// <inheritdoc/>
        public override string ToString() => "uniform";
    }

    /// <summary>
    /// Much for the lower layers and little for the upper ones, falling linearly (PyramidKV, Cai et al., arXiv 2406.02069): beside what is protected,
    /// the last layer keeps <c>b/β</c> and the first <c>2b − b/β</c>, b being the mean.
    /// </summary>
    public sealed record Pyramid : LayerAllocation
    {
        /// <summary>β of the authors' code.</summary>
        public const double DefaultBeta = 20;

        /// <summary>A pyramid of steepness <paramref name="beta"/>, at least 1.</summary>
        /// <exception cref="InputException">β is below 1.</exception>
        public Pyramid(double beta = DefaultBeta)
        {
            Beta = beta >= 1 ? beta : throw new InputException($"a pyramid's β of {beta} is below 1; the authors use {DefaultBeta}.");
        }

        /// <summary>β: the last layer keeps the mean divided by it.</summary>
        public double Beta { get; }

        /// <inheritdoc/>
        public override string ToString() => $"pyramid:{Beta.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>All heads of all layers compete for one pool: their scores decide.</summary>
    public sealed record Global : LayerAllocation
    {
        /// <inheritdoc/>
        public override string ToString() => "global";
    }
}
