using LookaheadKV.Attention;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Attention of rows to what a layer really holds, rectangle or ragged. Scale is 1/√D.</summary>
public static class CacheAttention
{
    /// <summary>Attends queries [B,H,T,D] to a layer's entries → [B,H,T,D].</summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="cache">The layer, the rows' own keys and values appended.</param>
    /// <param name="positions">Positions [B,T] of the rows (int64): a row sees the entries that exist and stand at or before it.</param>
    /// <param name="window">A row sees this many positions, its own included; null when it sees all before it.</param>
    public static Tensor Attend(Tensor queries, LayerCache cache, Tensor positions, int? window = null)
    {
        using var scope = NewDisposeScope();
        var unmasked = queries.size(2) == 1 && !cache.HasGaps && window is null;
        if (cache.IsRectangular)
        {
            var visible = unmasked ? null : Visible(cache.Positions, positions, window);
            return FusedAttention.Visible(queries, cache.Keys, cache.Values, visible).MoveToOuterDisposeScope();
        }
        if (window is not null)
            throw new NotSupportedException("a ragged layer is attended to as a whole: eviction refuses prompts beyond a sliding window.");
        return Segments(queries, cache, unmasked ? null : positions).MoveToOuterDisposeScope();
    }

    /// <summary>Which entries each row sees, bool [B,G,T,n]: those that exist and stand at or before it, within its window.</summary>
    /// <param name="stored">Positions of a layer's entries [B,G,n], -1 where there is none.</param>
    /// <param name="rows">Positions of the rows [B,T].</param>
    /// <param name="window">A row sees this many positions, its own included; null when it sees all before it.</param>
    public static Tensor Visible(Tensor stored, Tensor rows, int? window = null)
    {
        using var scope = NewDisposeScope();
        var entry = stored.unsqueeze(2); // [B,G,1,n]
        var row = rows.unsqueeze(1).unsqueeze(-1); // [B,1,T,1]
        var visible = entry.ge(0).logical_and(entry.le(row));
        return (window is { } w ? visible.logical_and(entry.gt(row - w)) : visible).MoveToOuterDisposeScope();
    }

    // Each segment on its own, none padded to the longest.
    private static Tensor Segments(Tensor queries, LayerCache cache, Tensor? positions)
    {
        var (b, h, t, d) = (queries.size(0), queries.size(1), queries.size(2), queries.size(3));
        var g = cache.KvHeads;
        var rows = queries.reshape(b * g, h / g * t, d); // [B,H,T,D] → [S,(H/G)·T,D]
        var storage = cache.Storage;
        if (positions is null && t == 1 && Operators.HasFlash(queries))
        {
            var (first, end) = cache.Bounds();
            return Operators
                .RaggedAttention(rows, storage.Keys, storage.Values, first, end, cache.StoredLengths.Max())
                .reshape(queries.shape);
        }
        var starts = tensor(storage.Starts.Take((int)(b * g)).ToArray());
        var lengths = tensor(cache.StoredLengths.ToArray());
        var seen = positions?.unsqueeze(1).expand(b, g, t).reshape(b * g, t).repeat(1, h / g); // [S,(H/G)·T]
        return Operators
            .SegmentAttention(rows, storage.Keys, storage.Values, storage.Positions, starts, lengths, seen)
            .reshape(queries.shape);
    }
}
