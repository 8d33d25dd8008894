using LookaheadKV.Budgeting;
using LookaheadKV.Scoring;

namespace LookaheadKV.Eviction;

/// <summary>
/// A complete recipe: how to score, how to reduce and smooth the scores, what is protected, how much is kept. Immutable.
/// Without a scorer or a budget nothing is evicted.
/// </summary>
public sealed record EvictionPolicy
{
    /// <summary>What tables call it.</summary>
    public required string Name { get; init; }

    /// <summary>The method; null keeps the whole cache.</summary>
    public IScorer? Scorer { get; init; }

    /// <summary>How much is kept; null keeps the whole cache.</summary>
    public Budget? Budget { get; init; }

    /// <summary>How the query heads of a group become one score.</summary>
    public GroupReduction Group { get; init; } = GroupReduction.Mean;

    /// <summary>Smoothing over neighbouring positions.</summary>
    public Pooling Pooling { get; init; } = Pooling.None;

    /// <summary>Positions kept whatever their score.</summary>
    public Protection Protection { get; init; } = Protection.None;

    /// <summary>The same recipe with another budget.</summary>
    public EvictionPolicy With(Budget budget) => this with { Budget = budget };
}
