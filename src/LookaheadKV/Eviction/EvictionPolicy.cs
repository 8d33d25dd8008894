using LookaheadKV.Budgeting;
using LookaheadKV.Scoring;

namespace LookaheadKV.Eviction;

/// <summary>
/// A complete recipe: how to score, how to reduce and smooth the scores, what is protected, how much is kept and how that is divided. Immutable.
/// Without a scorer or a budget nothing is evicted.
/// </summary>
public sealed record EvictionPolicy
{
    /// <summary>Keeps everything: the baseline.</summary>
    public static EvictionPolicy Full { get; } = new() { Name = "full" };

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

    /// <summary>
    /// How a layer's part is divided among its key/value heads. A global budget divides among heads by itself: beside one, anything but
    /// <see cref="HeadAllocation.Uniform"/> is refused where the policy runs.
    /// </summary>
    public HeadAllocation Heads { get; init; } = HeadAllocation.Uniform;

    /// <summary>Whether nothing can be evicted before all layers have passed.</summary>
    public bool NeedsWholePrompt => Scorer is IWholePromptScorer || Layers is LayerAllocation.Global;

    /// <summary>Refuses parts that contradict each other.</summary>
    /// <exception cref="InputException">The budget is global, and heads shall compete within their layers.</exception>
    internal void Require()
    {
        if (Layers is LayerAllocation.Global && Heads is not HeadAllocation.Even)
            throw new InputException(
                $"policy {Name}: a global budget is divided among heads by itself, and its heads are {Heads}; leave them uniform, or divide the budget among layers by uniform or pyramid."
            );
    }

    // What C# writes as `with`, for languages that have none for its records.

    /// <summary>The same recipe under another name.</summary>
    public EvictionPolicy Named(string name) => this with { Name = name };

    /// <summary>The same recipe with another budget.</summary>
    public EvictionPolicy With(Budget budget) => this with { Budget = budget };

    /// <summary>The same recipe with another way to make one score of a group's query heads.</summary>
    public EvictionPolicy With(GroupReduction group) => this with { Group = group };

    /// <summary>The same recipe with another smoothing.</summary>
    public EvictionPolicy With(Pooling pooling) => this with { Pooling = pooling };

    /// <summary>The same recipe with other positions that are kept whatever their score.</summary>
    public EvictionPolicy With(Protection protection) => this with { Protection = protection };

    /// <summary>The same recipe with another division of the budget among the layers.</summary>
    public EvictionPolicy With(LayerAllocation layers) => this with { Layers = layers };

    /// <summary>The same recipe with another division of a layer's part among its heads.</summary>
    public EvictionPolicy With(HeadAllocation heads) => this with { Heads = heads };
}
