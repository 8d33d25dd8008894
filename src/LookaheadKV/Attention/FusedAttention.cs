using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Attention;

/// <summary>Attention outputs by the fused kernels: the weights are never materialised. Scale is 1/√D throughout.</summary>
public static class FusedAttention
{
    // Rows of a windowed sequence that share a mask: its size stays linear in N.
    private const long WindowedRows = 512;

    /// <summary>Causal attention of a sequence to itself: queries [B,H,N,D], keys and values [B,G,N,D] → [B,H,N,D].</summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="keys">Post-RoPE keys.</param>
    /// <param name="values">Values.</param>
    /// <param name="window">A row sees this many positions, itself included; null when it sees all before it.</param>
    public static Tensor Causal(Tensor queries, Tensor keys, Tensor values, int? window = null)
    {
        if (queries.size(2) != keys.size(2))
            throw new ArgumentException(
                $"causal attention needs as many queries as keys, got {queries.size(2)} and {keys.size(2)}; use Visible with a mask."
            );
        return window is { } w && w < keys.size(2) ? Windowed(queries, keys, values, w) : Operators.CausalAttention(queries, keys, values);
    }

    /// <summary>
    /// Attention of rows to a cache: queries [B,H,T,D], keys and values [B,G,n,D] → [B,H,T,D].
    /// The query heads of a group become rows of their key/value head, so keys are never copied per query head.
    /// </summary>
    /// <param name="queries">Post-RoPE queries.</param>
    /// <param name="keys">Post-RoPE keys.</param>
    /// <param name="values">Values.</param>
    /// <param name="visible">Which entries a row sees, bool, broadcastable to [B,G,T,n]; null when every row sees all of them.</param>
    public static Tensor Visible(Tensor queries, Tensor keys, Tensor values, Tensor? visible)
    {
        using var scope = NewDisposeScope();
        var (heads, rows, kvHeads) = (queries.size(1), queries.size(2), keys.size(1));
        var group = heads / kvHeads;
        var grouped = queries.reshape(queries.size(0), kvHeads, group * rows, queries.size(3)); // [B,H,T,D] → [B,G,(H/G)·T,D]
        var mask = visible?.expand(visible.size(0), visible.size(1), rows, keys.size(2)).repeat(1, 1, group, 1); // [B|1,G|1,(H/G)·T,n]
        var attended = nn.functional.scaled_dot_product_attention(grouped, keys, values, attn_mask: mask, is_casual: false);
        return attended.reshape(queries.shape).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The causal mask of rows at the end of a sequence, bool [1,1,T,N]: row i, at p = <paramref name="first"/> + i, sees columns ≤ p, and of these those
    /// > p - <paramref name="window"/>.
    /// </summary>
    /// <param name="first">Position of the first row.</param>
    /// <param name="rows">T, the number of rows.</param>
    /// <param name="columns">N, the number of keys, at positions 0..N-1.</param>
    /// <param name="device">Where the mask is made.</param>
    /// <param name="window">A row sees this many columns, its own included; null when it sees all before it.</param>
    public static Tensor SuffixMask(long first, long rows, long columns, Device device, int? window = null)
    {
        using var scope = NewDisposeScope();
        var row = arange(first, first + rows, device: device).unsqueeze(1);
        var column = arange(columns, device: device).unsqueeze(0);
        var visible = window is { } w ? column.le(row).logical_and(column.gt(row - w)) : column.le(row);
        return visible.unsqueeze(0).unsqueeze(0).MoveToOuterDisposeScope();
    }

    // A chunk of rows sees the columns from the first one that its first row sees to its last row.
    private static Tensor Windowed(Tensor queries, Tensor keys, Tensor values, int window)
    {
        using var scope = NewDisposeScope();
        var result = empty_like(queries);
        for (var start = 0L; start < queries.size(2); start += WindowedRows)
        {
            using var inner = NewDisposeScope();
            var rows = Math.Min(WindowedRows, queries.size(2) - start);
            var from = Math.Max(0, start - window + 1);
            var columns = start + rows - from;
            var visible = SuffixMask(start - from, rows, columns, keys.device, window);
            var attended = Visible(queries.narrow(2, start, rows), keys.narrow(2, from, columns), values.narrow(2, from, columns), visible);
            result.narrow(2, start, rows).copy_(attended);
        }
        return result.MoveToOuterDisposeScope();
    }
}
