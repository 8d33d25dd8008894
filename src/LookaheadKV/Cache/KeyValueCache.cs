namespace LookaheadKV.Cache;

/// <summary>
/// The key/value cache of a model. <see cref="LogicalLength"/> (tokens seen; the next token's position) and a layer's
/// <see cref="ICacheLayer.StoredLengths"/> (entries held) are different things as soon as something was evicted.
/// </summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly List<ICacheLayer> _layers = [];

    /// <summary>An empty cache for rows of the given logical lengths; layers are added as they are prefilled.</summary>
    public KeyValueCache(params IEnumerable<long> logicalLengths)
    {
        LogicalLengths = [.. logicalLengths];
    }

    /// <summary>The layers, first to last.</summary>
    public IReadOnlyList<ICacheLayer> Layers => _layers;

    /// <summary>Tokens seen, a row each.</summary>
    public IReadOnlyList<long> LogicalLengths { get; private set; }

    /// <summary>Tokens seen, where all rows agree (a single prompt, or prompts of one length).</summary>
    public long LogicalLength =>
        LogicalLengths.Distinct().Count() == 1
            ? LogicalLengths[0]
            : throw new InvalidOperationException("the rows of this batch have different logical lengths; read LogicalLengths.");

    /// <summary>Bytes of all entries in use: <c>2·Σ n·D·sizeof</c>.</summary>
    public long Bytes => _layers.Sum(l => l.Bytes);

    /// <summary>Bytes that keys and values hold, counted from their storage.</summary>
    public long StorageBytes => _layers.Sum(l => l.StorageBytes);

    /// <summary>Bytes that the entries' positions hold.</summary>
    public long PositionBytes => _layers.Sum(l => l.PositionBytes);

    /// <summary>Entries held a row and kv head, averaged over the layers.</summary>
    public double MeanStoredLength => _layers.Average(l => l.StoredLengths.Average());

    /// <summary>Takes the next layer; the cache disposes it.</summary>
    public void Add(ICacheLayer layer) => _layers.Add(layer);

    /// <summary>Puts another layer in the place of one, which is disposed: one that keeps less of it, or holds it otherwise.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="replacement">The cache disposes it.</param>
    public void Replace(int layer, ICacheLayer replacement)
    {
        _layers[layer].Dispose();
        _layers[layer] = replacement;
    }

    /// <summary>Counts tokens that were appended to every layer.</summary>
    public void Advance(long tokens) => LogicalLengths = [.. LogicalLengths.Select(n => n + tokens)];

    /// <summary>Remembers the present state, to <see cref="RollBack"/> to.</summary>
    public CacheMark Mark() => new([.. LogicalLengths], [.. _layers.Select(l => l.StoredLengths.ToArray())]);

    /// <summary>Forgets every token since the mark was made.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache holds less than when the mark was made: it was evicted or cropped since.</exception>
    public void RollBack(CacheMark mark)
    {
        foreach (var (layer, stored) in _layers.Zip(mark.StoredLengths))
            layer.Truncate(stored);
        LogicalLengths = [.. mark.LogicalLengths];
    }

    /// <summary>Forgets every token at or behind a logical position, in all rows.</summary>
    /// <param name="logicalLength">0 (forget everything) up to the shortest row's logical length.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is outside that.</exception>
    public void Crop(long logicalLength)
    {
        if (logicalLength < 0 || logicalLength > LogicalLengths.Min())
            throw new ArgumentOutOfRangeException(nameof(logicalLength), logicalLength, $"allowed: 0..{LogicalLengths.Min()}");
        foreach (var layer in _layers)
            layer.Crop(logicalLength);
        LogicalLengths = [.. LogicalLengths.Select(_ => logicalLength)];
    }

    /// <summary>A cache of the same entries in storage of its own: both can go on from here.</summary>
    /// <param name="reserve">Room for this many tokens to come.</param>
    public KeyValueCache Fork(long reserve)
    {
        var fork = new KeyValueCache(LogicalLengths);
        foreach (var layer in _layers)
            fork.Add(layer.Copy(reserve));
        return fork;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }
}

/// <summary>A state of a cache that can be rolled back to.</summary>
/// <param name="LogicalLengths">Tokens seen, a row each.</param>
/// <param name="StoredLengths">Entries held, a layer each, in it a segment each.</param>
public sealed record CacheMark(IReadOnlyList<long> LogicalLengths, IReadOnlyList<IReadOnlyList<long>> StoredLengths);
