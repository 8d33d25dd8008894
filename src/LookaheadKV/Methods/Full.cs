using LookaheadKV.Eviction;

namespace LookaheadKV.Methods;

/// <summary>No eviction: the baseline that every table shows.</summary>
public static class Full
{
    /// <summary>The method under its name.</summary>
    public static Method Method { get; } = new(EvictionPolicy.Full) { Keeps = "everything: the baseline", FigurePlace = 0 };
}
