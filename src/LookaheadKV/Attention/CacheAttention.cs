using LookaheadKV.Cache;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Attention;

/// <summary>Attention of rows to what a layer really holds, rectangle or ragged. Scale is 1/√D.</summary>
public static class CacheAttention
{
    /// <summary>Attends queries [B,H,T,D] to a layer's entries → [B,H,T,D].</summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="cache">The layer, the rows' own keys and values appended.</param>
    /// <param name="positions">Positions [B,T] of the rows (int64): a row sees the entries that exist and stand at or before it.</param>
    public static Tensor Attend(Tensor queries, LayerCache cache, Tensor positions)
    {
        using var scope = NewDisposeScope();
        var unmasked = queries.size(2) == 1 && !cache.HasGaps;
        if (cache.IsRectangular)
        {
            var visible = unmasked ? null : Visible(cache.Positions, positions);
            return FusedAttention.Visible(queries, cache.Keys, cache.Values, visible).MoveToOuterDisposeScope();
        }
        return Segments(queries, cache, unmasked ? null : positions).MoveToOuterDisposeScope();
    }

    /// <summary>Which entries each row sees, bool [B,G,T,n]: those that exist and stand at or before it.</summary>
    /// <param name="stored">Positions of a layer's entries [B,G,n], -1 where there is none.</param>
    /// <param name="rows">Positions of the rows [B,T].</param>
    public static Tensor Visible(Tensor stored, Tensor rows)
    {
        using var scope = NewDisposeScope();
        var entry = stored.unsqueeze(2); // [B,G,1,n]
        return entry.ge(0).logical_and(entry.le(rows.unsqueeze(1).unsqueeze(-1))).MoveToOuterDisposeScope();
    }

    // Each segment on its own, none padded to the longest.
    private static Tensor Segments(Tensor queries, LayerCache cache, Tensor? positions)
    {
        var (b, h, t, d) = (queries.size(0), queries.size(1), queries.size(2), queries.size(3));
        var g = cache.KvHeads;
        var rows = queries.reshape(b * g, h / g * t, d); // [B,H,T,D] → [S,(H/G)·T,D]
        var storage = cache.Storage;
        var starts = tensor(storage.Starts.Take((int)(b * g)).ToArray());
        var lengths = tensor(cache.StoredLengths.ToArray());
        var seen = positions?.unsqueeze(1).expand(b, g, t).reshape(b * g, t).repeat(1, h / g); // [S,(H/G)·T]
        return Operators.SegmentAttention(rows, storage.Keys, storage.Values, storage.Positions, starts, lengths, seen).reshape(queries.shape);
    }
}
