using System.Globalization;

namespace LookaheadKV.Budgeting;

/// <summary>How a layer's budget is divided among its key/value heads.</summary>
public abstract record HeadAllocation
{
    /// <summary>Share of its even part that a head is sure of, as Ada-KV's authors choose it.</summary>
    public const double DefaultFloor = 0.2;

    private HeadAllocation() { }

    /// <summary>Every head the same.</summary>
    public static HeadAllocation Uniform { get; } = new Even();

    /// <summary>Every head the same.</summary>
    public sealed record Even : HeadAllocation
    {
        /// <inheritdoc/>
        public override string ToString() => "uniform";
    }

    /// <summary>The heads' scores compete for the layer's slots (Ada-KV, Feng et al., arXiv 2407.11550).</summary>
    public sealed record Adaptive : HeadAllocation
    {
        /// <summary>Heads compete, each sure of the share <paramref name="floor"/> (α) of its even part.</summary>
        /// <exception cref="InputException">The share is outside 0..1.</exception>
        public Adaptive(double floor = DefaultFloor)
        {
            Floor = floor is >= 0 and <= 1
                ? floor
                : throw new InputException(
                    $"the share of {floor} that every head is sure of is outside 0..1; the authors use {DefaultFloor}."
                );
        }

        /// <summary>α, 0..1.</summary>
        public double Floor { get; }

        /// <inheritdoc/>
        public override string ToString() => $"adaptive:{Floor.ToString(CultureInfo.InvariantCulture)}";
    }
}
