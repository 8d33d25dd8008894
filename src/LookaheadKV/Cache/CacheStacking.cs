using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Joins the caches of prompts that were prefilled alone into one batch, whatever their lengths.</summary>
public static class CacheStacking
{
    /// <summary>
    /// One cache whose rows are those of <paramref name="rows"/>, in fresh storage. A row that holds fewer entries than the longest one is followed
    /// by empty places (position -1), which no query sees; every row goes on at its own logical length.
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
        var longest = rows.Max(row => row.StoredLength);
        var first = rows[0].Keys;
        var cache = new LayerCache(
            rows.Sum(row => row.Keys.size(0)),
            first.size(1),
            longest + reserve,
            first.size(3),
            first.dtype,
            first.device
        );
        // Empty places hold zeros: a weight of 0 on uninitialised memory could still be 0 · NaN.
        cache.Append(
            cat([.. rows.Select(row => Lengthen(row.Keys, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Values, longest, 0))]),
            cat([.. rows.Select(row => Lengthen(row.Positions, longest, -1))]),
            gaps: rows.Any(row => row.HasGaps || row.StoredLength < longest)
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
        using var scope = NewDisposeScope();
        if (rows.Count == 0)
            throw new ArgumentException("there is no cache to stack; give at least one.");
        var models = rows.Select(row => string.Join("; ", row.Layers.Select(Model))).Distinct().ToArray();
        if (models.Length > 1)
            throw new ArgumentException($"caches of different models cannot share a batch: {models[0]} and {models[1]}.");
    }

    private static string Model(LayerCache layer)
    {
        var keys = layer.Keys;
        return $"{keys.size(1)} kv heads of {keys.size(3)} {keys.dtype} on {keys.device}";
    }
}
