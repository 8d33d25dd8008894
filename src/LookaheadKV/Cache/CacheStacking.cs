using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Joins the caches of prompts that were prefilled alone into one batch, whatever their lengths.</summary>
public static class CacheStacking
{
    /// <summary>
    /// One cache whose rows are those of <paramref name="rows"/>, in fresh storage. Where all layers are rectangles, a row that holds fewer entries
    /// than the longest one is followed by empty places (position -1), which no query sees; ragged layers hold no empty places. Every row goes on at
    /// its own logical length.
    /// </summary>
    /// <param name="rows">Caches of one model: equally many layers, kv heads, head size, dtype and device. They stay as they are.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <exception cref="ArgumentException">There is no row, or the caches are not of one model.</exception>
    public static KeyValueCache Stack(IReadOnlyList<KeyValueCache> rows, long reserve)
    {
        Require(rows);
        var stacked = new KeyValueCache(rows.SelectMany(row => row.LogicalLengths));
        for (var layer = 0; layer < rows[0].Layers.Count; layer++)
            stacked.Add(Stack([.. rows.Select(row => row.Layers[layer])], reserve));
        return stacked;
    }

    private static LayerCache Stack(IReadOnlyList<LayerCache> rows, long reserve)
    {
        using var scope = NewDisposeScope();
        if (!rows.All(row => row.IsRectangular))
            return Chain(rows, reserve);
        var longest = rows.Max(row => row.StoredLength);
        var first = rows[0];
        var cache = new LayerCache(rows.Sum(row => row.Batch), first.KvHeads, longest + reserve, first.HeadSize, first.DType, first.Device);
        // Empty places hold zeros: a weight of 0 on uninitialised memory could still be 0 · NaN.
        cache.Append(
            cat([.. rows.Select(row => Lengthen(row.Keys, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Values, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Positions, longest, -1))]),
            gaps: rows.Any(row => row.HasGaps || row.StoredLength < longest)
        );
        return cache;
    }

    // Ragged layers need no filling: the rows' segments follow each other.
    private static LayerCache Chain(IReadOnlyList<LayerCache> rows, long reserve)
    {
        if (rows.Any(row => row.HasGaps))
            throw new ArgumentException("a batch with empty places cannot be stacked on ragged rows; stack its single rows instead.");
        var first = rows[0];
        long[] counts = [.. rows.SelectMany(row => row.StoredLengths)];
        var cache = new LayerCache(
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
        cache.Append(
            cat([.. segments.Select(s => s.Keys)]),
            cat([.. segments.Select(s => s.Values)]),
            cat([.. segments.Select(s => s.Positions)]),
            counts
        );
        return cache;
    }

    /// <summary>[B,G,n,…] to [B,G,length,…], the new places holding <paramref name="value"/>.</summary>
    private static Tensor Lengthen(Tensor entries, long length, double value)
    {
        long[] shape = [.. entries.shape];
        shape[2] = length - shape[2];
        return cat([entries, full(shape, value, dtype: entries.dtype, device: entries.device)], 2);
    }

    private static void Require(IReadOnlyList<KeyValueCache> rows)
    {
        if (rows.Count == 0)
            throw new ArgumentException("there is no cache to stack; give at least one.");
        var models = rows.Select(row => string.Join("; ", row.Layers.Select(Model))).Distinct().ToArray();
        if (models.Length > 1)
            throw new ArgumentException($"caches of different models cannot share a batch: {models[0]} and {models[1]}.");
    }

    private static string Model(LayerCache layer) => $"{layer.KvHeads} kv heads of {layer.HeadSize} {layer.DType} on {layer.Device}";
}
