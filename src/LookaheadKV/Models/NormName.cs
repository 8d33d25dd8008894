namespace LookaheadKV.Models;

/// <summary>The places of a layer where a family may have an RMS norm.</summary>
public enum NormName
{
    /// <summary>Of the rows that attention reads, [E].</summary>
    AttentionIn,

    /// <summary>Of queries before they are rotated, [D] or [H·D].</summary>
    Query,

    /// <summary>Of keys before they are rotated, [D] or [G·D].</summary>
    Key,

    /// <summary>Of what attention adds to the rows, [E].</summary>
    AttentionOut,

    /// <summary>Of the rows that the feed-forward block reads, [E].</summary>
    FeedForwardIn,

    /// <summary>Of what the feed-forward block adds to the rows, [E].</summary>
    FeedForwardOut,
}

/// <summary>Where the norms of a layer's two blocks stand.</summary>
[Flags]
public enum BlockNorms
{
    /// <summary>Of what a block reads (Llama).</summary>
    Before = 1,

    /// <summary>Of what it adds to the rows (OLMo2).</summary>
    After = 2,

    /// <summary>Both (Gemma).</summary>
    Both = Before | After,
}

/// <summary>What of queries and keys is normalised before it is rotated.</summary>
public enum QueryKeyNorm
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Each head on its own, by one weight [D] (Qwen3).</summary>
    Heads,

    /// <summary>All heads together, by a weight [H·D] and one [G·D] (OLMo2).</summary>
    Whole,
}

/// <summary>Which norms there are, and their lengths.</summary>
public static class NormNames
{
    /// <summary>All places.</summary>
    public static IReadOnlyList<NormName> All { get; } = Enum.GetValues<NormName>();

    /// <summary>The length of a norm's weight in a model of this shape; null where the model has none there.</summary>
    public static int? Length(this NormName name, DecoderConfig c) =>
        name switch
        {
            NormName.AttentionIn or NormName.FeedForwardIn => c.Norms.HasFlag(BlockNorms.Before) ? c.Width : null,
            NormName.AttentionOut or NormName.FeedForwardOut => c.Norms.HasFlag(BlockNorms.After) ? c.Width : null,
            NormName.Query or NormName.Key => c.QueryKeyNorm switch
            {
                QueryKeyNorm.None => null,
                QueryKeyNorm.Heads => c.HeadSize,
                _ => (name == NormName.Query ? c.QueryHeads : c.KeyValueHeads) * c.HeadSize,
            },
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}
