using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>What rows see of stored entries, and attention to segments of different lengths. Scale is 1/√D.</summary>
public static class CacheAttention
{
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

    /// <summary>Attends queries [B,H,T,D] to segments of entries, each on its own and none padded to the longest → [B,H,T,D].</summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="keys">Keys of all segments <c>b·G + g</c> with their room, one behind the other, [Σ capacity, D].</param>
    /// <param name="values">Values [Σ capacity, D].</param>
    /// <param name="stored">Positions [Σ capacity] (int64).</param>
    /// <param name="starts">Where each segment starts, and where the last one's room ends, S+1 of them.</param>
    /// <param name="lengths">Entries of each segment.</param>
    /// <param name="rows">Positions [B,T] of the rows (int64); null when every row sees all entries.</param>
    internal static Tensor Segments(Tensor queries, Tensor keys, Tensor values, Tensor stored, long[] starts, long[] lengths, Tensor? rows)
    {
        var (b, h, t) = (queries.size(0), queries.size(1), queries.size(2));
        var g = lengths.Length / b;
        var seen = rows?.unsqueeze(1).expand(b, g, t).reshape(b * g, t).repeat(1, h / g); // [S,(H/G)·T]
        return Operators
            .SegmentAttention(BySegment(queries, b * g), keys, values, stored, tensor(starts[..^1]), tensor(lengths), seen)
            .reshape(queries.shape);
    }

    /// <summary>The same for one row [B,H,1,D] that sees all entries, on a GPU with <see cref="Operators.HasFlash(Tensor)"/>, lengths never leaving the device.</summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="keys">Keys [Σ capacity, D].</param>
    /// <param name="values">Values [Σ capacity, D].</param>
    /// <param name="starts">Where each segment starts, and where the last one's room ends, [S+1] (int64).</param>
    /// <param name="ends">Where each segment in use ends, [S] (int64).</param>
    /// <param name="longest">Entries of the longest segment.</param>
    internal static Tensor Segments(Tensor queries, Tensor keys, Tensor values, Tensor starts, Tensor ends, long longest) =>
        Operators.RaggedAttention(BySegment(queries, ends.size(0)), keys, values, starts, ends, longest).reshape(queries.shape);

    // [B,H,T,D] → [S,(H/G)·T,D]
    private static Tensor BySegment(Tensor queries, long segments) => queries.reshape(segments, -1, queries.size(3));
}
