using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>
/// Keys and values of one layer in preallocated storage [B, G, capacity, D], of which the first <see cref="StoredLength"/> entries are in use.
/// Every entry carries the logical position it was computed at; an entry's place in storage says nothing about its position.
/// Position -1 marks a place that holds no entry (a shorter row of a batch).
/// </summary>
public sealed class LayerCache : IDisposable
{
    private readonly Tensor _keys;
    private readonly Tensor _values;
    private readonly Tensor _positions;

    /// <summary>Allocates room for <paramref name="capacity"/> entries.</summary>
    public LayerCache(long batch, long kvHeads, long capacity, long headSize, ScalarType dtype, Device device)
    {
        _keys = empty(batch, kvHeads, capacity, headSize, dtype: dtype, device: device).DetachFromDisposeScope();
        _values = empty(batch, kvHeads, capacity, headSize, dtype: dtype, device: device).DetachFromDisposeScope();
        _positions = empty(batch, kvHeads, capacity, dtype: ScalarType.Int64, device: device).DetachFromDisposeScope();
    }

    /// <summary>Entries in use, n; the same for every row and head.</summary>
    public long StoredLength { get; private set; }

    /// <summary>Entries there is room for.</summary>
    public long Capacity => _keys.size(2);

    /// <summary>Whether some place holds no entry (position -1), so that attention needs a mask.</summary>
    public bool HasGaps { get; private set; }

    /// <summary>Keys in use, [B, G, n, D]: a view.</summary>
    public Tensor Keys => _keys.narrow(2, 0, StoredLength);

    /// <summary>Values in use, [B, G, n, D]: a view.</summary>
    public Tensor Values => _values.narrow(2, 0, StoredLength);

    /// <summary>Logical positions of the entries in use, [B, G, n] (int64): a view.</summary>
    public Tensor Positions => _positions.narrow(2, 0, StoredLength);

    /// <summary>Bytes of the entries in use: <c>2·B·G·n·D·sizeof</c>.</summary>
    public long Bytes => StorageBytes / Math.Max(1, Capacity) * StoredLength;

    /// <summary>Bytes that keys and values hold, counted from their storage (room for tokens to come included).</summary>
    public long StorageBytes => StorageBytesOf.Tensor(_keys) + StorageBytesOf.Tensor(_values);

    /// <summary>Bytes that the positions hold, counted from their storage.</summary>
    public long PositionBytes => StorageBytesOf.Tensor(_positions);

    /// <summary>Writes entries behind those in use.</summary>
    /// <param name="keys">Post-RoPE keys [B, G, T, D].</param>
    /// <param name="values">Values [B, G, T, D].</param>
    /// <param name="positions">Their logical positions, int64, broadcastable to [B, G, T]; -1 where there is no entry.</param>
    /// <param name="gaps">Whether <paramref name="positions"/> holds a -1.</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    public void Append(Tensor keys, Tensor values, Tensor positions, bool gaps = false)
    {
        var count = keys.size(2);
        if (StoredLength + count > Capacity)
            throw new InvalidOperationException(
                $"the cache has room for {Capacity} entries and holds {StoredLength}; {count} more do not fit: prefill with a larger reserve."
            );
        using var scope = NewDisposeScope();
        _keys.narrow(2, StoredLength, count).copy_(keys);
        _values.narrow(2, StoredLength, count).copy_(values);
        _positions.narrow(2, StoredLength, count).copy_(positions.expand(keys.size(0), keys.size(1), count));
        StoredLength += count;
        HasGaps |= gaps;
    }

    /// <summary>Forgets the entries behind the first <paramref name="storedLength"/>; 0 empties the cache.</summary>
    public void Truncate(long storedLength)
    {
        if (storedLength < 0 || storedLength > StoredLength)
            throw new ArgumentOutOfRangeException(nameof(storedLength), storedLength, $"allowed: 0..{StoredLength}");
        StoredLength = storedLength;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _positions.Dispose();
    }
}
