using LookaheadKV.Budgeting;
using LookaheadKV.Scoring;

namespace LookaheadKV.Eviction;

/// <summary>
/// A complete recipe: how to score, how to reduce and smooth the scores, what is protected, how much is kept and how that is divided. Immutable.
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

    /// <summary>How the budget is divided among the layers.</summary>
    public LayerAllocation Layers { get; init; } = LayerAllocation.Uniform;

    /// <summary>How a layer's part is divided among its key/value heads; a global budget divides among heads by itself.</summary>
    public HeadAllocation Heads { get; init; } = HeadAllocation.Uniform;

    /// <summary>Whether nothing can be evicted before all layers have passed.</summary>
    public bool NeedsWholePrompt => Scorer is IWholePromptScorer || Layers is LayerAllocation.Global;

    /// <summary>The same recipe with another budget.</summary>
    public EvictionPolicy With(Budget budget) => this with { Budget = budget };
}
