namespace LookaheadKV.Cache;

/// <summary>Joins the caches of prompts that were prefilled alone into one batch, whatever their lengths.</summary>
public static class CacheStacking
{
    /// <summary>
    /// One cache whose rows are those of <paramref name="rows"/>, in fresh storage. Where all dense layers are rectangles, a row that holds fewer entries
    /// than the longest one is followed by empty places (position -1), which no query sees; ragged layers hold no empty places. Every row goes on at
    /// its own logical length.
    /// </summary>
    /// <param name="rows">Caches of one model: equally many layers, kv heads, head size, dtype and device. They stay as they are.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <exception cref="ArgumentException">There is no row, or the caches are not of one model, or hold their entries in different ways.</exception>
    public static KeyValueCache Stack(IReadOnlyList<KeyValueCache> rows, long reserve)
    {
        Require(rows);
        var stacked = new KeyValueCache(rows.SelectMany(row => row.LogicalLengths));
        for (var layer = 0; layer < rows[0].Layers.Count; layer++)
            stacked.Add(rows[0].Layers[layer].Stack([.. rows.Skip(1).Select(row => row.Layers[layer])], reserve));
        return stacked;
    }

    private static void Require(IReadOnlyList<KeyValueCache> rows)
    {
        if (rows.Count == 0)
            throw new ArgumentException("there is no cache to stack; give at least one.");
        var models = rows.Select(row => string.Join("; ", row.Layers.Select(Model))).Distinct().ToArray();
        if (models.Length > 1)
            throw new ArgumentException($"caches of different models cannot share a batch: {models[0]} and {models[1]}.");
        var kinds = rows[0].Layers.Select((_, layer) => rows.Select(row => row.Layers[layer].GetType().Name).Distinct().ToArray());
        if (kinds.FirstOrDefault(kind => kind.Length > 1) is { } mixed)
            throw new ArgumentException($"layers of different kinds cannot share a batch: {string.Join(" and ", mixed)}.");
    }

    private static string Model(ICacheLayer layer) => $"{layer.KvHeads} kv heads of {layer.HeadSize} {layer.DType} on {layer.Device}";
}
