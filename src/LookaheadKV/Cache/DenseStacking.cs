using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Dense layers of several caches as one layer, their rows one behind the other.</summary>
internal static class DenseStacking
{
    /// <summary>Where all are rectangles, a rectangle whose shorter rows end in empty places (position -1); else their segments, one behind the other.</summary>
    /// <param name="rows">Layers of one model; they stay as they are.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <exception cref="ArgumentException">A layer has empty places and another one is ragged.</exception>
    public static DenseLayer Stack(IReadOnlyList<DenseLayer> rows, long reserve)
    {
        using var scope = NewDisposeScope();
        if (!rows.All(row => row.IsRectangular))
            return Chain(rows, reserve);
        var longest = rows.Max(row => row.StoredLength);
        var first = rows[0];
        var layer = new DenseLayer(rows.Sum(row => row.Batch), first.KvHeads, longest + reserve, first.HeadSize, first.DType, first.Device);
        // Empty places hold zeros: a weight of 0 on uninitialised memory could still be 0 · NaN.
        layer.Append(
            cat([.. rows.Select(row => Lengthen(row.Keys, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Values, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Positions, longest, -1))]),
            gaps: rows.Any(row => row.HasGaps || row.StoredLength < longest)
        );
        return layer;
    }

    // Ragged layers need no filling: the rows' segments follow each other.
    private static DenseLayer Chain(IReadOnlyList<DenseLayer> rows, long reserve)
    {
        if (rows.Any(row => row.HasGaps))
            throw new ArgumentException("a batch with empty places cannot be stacked on ragged rows; stack its single rows instead.");
        var first = rows[0];
        long[] counts = [.. rows.SelectMany(row => row.StoredLengths)];
        var layer = new DenseLayer(
            rows.Sum(row => row.Batch),
            first.KvHeads,
            [.. counts.Select(n => n + reserve)],
            first.HeadSize,
            first.DType,
            first.Device
        );
        var segments = rows.SelectMany(row =>
                from b in Enumerable.Range(0, (int)row.Batch)
                from g in Enumerable.Range(0, (int)row.KvHeads)
                select row.Segment(b, g)
            )
            .ToArray();
        layer.Append(
            cat([.. segments.Select(s => s.Keys)]),
            cat([.. segments.Select(s => s.Values)]),
            cat([.. segments.Select(s => s.Positions)]),
            counts
        );
        return layer;
    }

    /// <summary>[B,G,n,…] to [B,G,length,…], the new places holding <paramref name="value"/>.</summary>
    private static Tensor Lengthen(Tensor entries, long length, double value)
    {
        long[] shape = [.. entries.shape];
        shape[2] = length - shape[2];
        return cat([entries, full(shape, value, dtype: entries.dtype, device: entries.device)], 2);
    }
}
