using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>
/// Keys and values of one layer in preallocated storage: a segment of [capacity, D] for each row and key/value head, one behind the other, of which the
/// first so many entries are in use. Segments may differ in length; where they do not, the layer is a rectangle [B, G, n, D].
/// Every entry carries the logical position it was computed at; an entry's place in storage says nothing about its position.
/// Position -1 marks a place that holds no entry (a shorter row of a batch).
/// </summary>
public sealed class LayerCache : IDisposable
{
    private readonly long[] _starts; // of each segment, and the end of the last
    private readonly Tensor _keys; // [Σ capacity, D]
    private readonly Tensor _values;
    private readonly Tensor _positions; // [Σ capacity]
    private long[] _lengths;
    private Tensor? _ends; // of each segment in use, [S] on the device: where a ragged layer writes next
    private Tensor? _firsts; // _starts on the device

    /// <summary>Allocates a rectangle with room for <paramref name="capacity"/> entries a head.</summary>
    public LayerCache(long batch, long kvHeads, long capacity, long headSize, ScalarType dtype, Device device)
        : this(batch, kvHeads, [.. Enumerable.Repeat(capacity, (int)(batch * kvHeads))], headSize, dtype, device) { }

    /// <summary>Allocates room for so many entries in each segment <c>b·G + g</c>.</summary>
    public LayerCache(long batch, long kvHeads, IReadOnlyList<long> capacities, long headSize, ScalarType dtype, Device device)
    {
        if (capacities.Count != batch * kvHeads)
            throw new ArgumentException($"{capacities.Count} capacities are not one for each of {batch} rows and {kvHeads} heads.");
        (Batch, KvHeads, HeadSize) = (batch, kvHeads, headSize);
        _starts = new long[capacities.Count + 1];
        for (var s = 0; s < capacities.Count; s++)
            _starts[s + 1] = _starts[s] + capacities[s];
        _lengths = new long[capacities.Count];
        _keys = empty(_starts[^1], headSize, dtype: dtype, device: device).DetachFromDisposeScope();
        _values = empty(_starts[^1], headSize, dtype: dtype, device: device).DetachFromDisposeScope();
        _positions = empty(_starts[^1], dtype: ScalarType.Int64, device: device).DetachFromDisposeScope();
        EqualCapacities = capacities.Distinct().Count() <= 1;
        IsRectangular = EqualCapacities;
    }

    /// <summary>B, the rows.</summary>
    public long Batch { get; }

    /// <summary>G, the key/value heads.</summary>
    public long KvHeads { get; }

    /// <summary>D.</summary>
    public long HeadSize { get; }

    /// <summary>Dtype of keys and values.</summary>
    public ScalarType DType => _keys.dtype;

    /// <summary>Where the storage is.</summary>
    public Device Device => _keys.device;

    /// <summary>Entries in use in each segment <c>b·G + g</c>.</summary>
    public IReadOnlyList<long> StoredLengths => _lengths;

    /// <summary>Whether all segments are of one length, so that the layer can be read as [B, G, n, D].</summary>
    public bool IsRectangular { get; private set; }

    /// <summary>Entries in use, n, of a rectangle.</summary>
    public long StoredLength =>
        IsRectangular
            ? _lengths[0]
            : throw new InvalidOperationException("the heads of this layer hold different numbers of entries; read StoredLengths.");

    /// <summary>Entries there is room for in a segment, at least.</summary>
    public long Capacity => Enumerable.Range(0, _lengths.Length).Min(s => _starts[s + 1] - _starts[s]);

    /// <summary>Entries that still fit into the segment with the least room.</summary>
    internal long Room => _lengths.Select((n, s) => _starts[s + 1] - _starts[s] - n).Min();

    /// <summary>Entries there is room for in the largest segment.</summary>
    internal long LargestSegment => Enumerable.Range(0, _lengths.Length).Max(s => _starts[s + 1] - _starts[s]);

    /// <summary>Whether some place holds no entry (position -1), so that attention needs a mask.</summary>
    public bool HasGaps { get; private set; }

    /// <summary>Keys in use, [B, G, n, D], of a rectangle: a view.</summary>
    public Tensor Keys => Rectangle(_keys);

    /// <summary>Values in use, [B, G, n, D], of a rectangle: a view.</summary>
    public Tensor Values => Rectangle(_values);

    /// <summary>Logical positions of the entries in use, [B, G, n] (int64), of a rectangle: a view.</summary>
    public Tensor Positions => Rectangle(_positions);

    /// <summary>Bytes of the entries in use: <c>2·Σ n·D·sizeof</c>.</summary>
    public long Bytes => 2 * _lengths.Sum() * HeadSize * _keys.ElementSize;

    /// <summary>Bytes that keys and values hold, counted from their storage (room for tokens to come included).</summary>
    public long StorageBytes => StorageBytesOf.Tensor(_keys) + StorageBytesOf.Tensor(_values);

    /// <summary>Bytes that the positions hold, counted from their storage.</summary>
    public long PositionBytes => StorageBytesOf.Tensor(_positions);

    private bool EqualCapacities { get; }

    /// <summary>The entries of one row and head: keys and values [n, D], positions [n]; views.</summary>
    public (Tensor Keys, Tensor Values, Tensor Positions) Segment(long row, long head)
    {
        var s = row * KvHeads + head;
        return (Used(_keys, s), Used(_values, s), Used(_positions, s));
    }

    /// <summary>Writes entries behind those in use, equally many in every segment.</summary>
    /// <param name="keys">Post-RoPE keys [B, G, T, D].</param>
    /// <param name="values">Values [B, G, T, D].</param>
    /// <param name="positions">Their logical positions, int64, broadcastable to [B, G, T]; -1 where there is no entry.</param>
    /// <param name="gaps">Whether <paramref name="positions"/> holds a -1.</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    public void Append(Tensor keys, Tensor values, Tensor positions, bool gaps = false)
    {
        using var scope = NewDisposeScope();
        var count = keys.size(2);
        RequireRoom([.. _lengths.Select(_ => count)]);
        positions = positions.expand(Batch, KvHeads, count);
        if (IsRectangular)
        {
            Block(_keys).narrow(2, _lengths[0], count).copy_(keys);
            Block(_values).narrow(2, _lengths[0], count).copy_(values);
            Block(_positions).narrow(2, _lengths[0], count).copy_(positions);
        }
        else
        {
            var places = (Ends().unsqueeze(1) + arange(count, device: Device)).flatten(); // [S·T]
            _keys.index_copy_(0, places, keys.reshape(-1, HeadSize));
            _values.index_copy_(0, places, values.reshape(-1, HeadSize));
            _positions.index_copy_(0, places, positions.reshape(-1));
        }
        _ends?.add_(count);
        for (var s = 0; s < _lengths.Length; s++)
            _lengths[s] += count;
        HasGaps |= gaps;
    }

    /// <summary>Writes some of a prompt's entries behind those in use, equally many in every segment, without a copy in between.</summary>
    /// <param name="keys">Post-RoPE keys [B, G, N, D].</param>
    /// <param name="values">Values [B, G, N, D].</param>
    /// <param name="positions">Which, [B, G, C] (int64); logical positions too.</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    internal void AppendOf(Tensor keys, Tensor values, Tensor positions)
    {
        using var scope = NewDisposeScope();
        var count = positions.size(2);
        RequireRoom(count);
        var places = (Tensor storage) => Block(storage).narrow(2, StoredLength, count);
        Operators.Gather(keys, values, positions, places(_keys), places(_values), places(_positions));
        Count(count);
    }

    /// <summary>Writes entries behind those in use, so many in each segment.</summary>
    /// <param name="keys">Post-RoPE keys [Σ n, D], segment by segment.</param>
    /// <param name="values">Values [Σ n, D].</param>
    /// <param name="positions">Their logical positions [Σ n] (int64).</param>
    /// <param name="counts">How many entries each segment gets.</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    public void Append(Tensor keys, Tensor values, Tensor positions, IReadOnlyList<long> counts)
    {
        using var scope = NewDisposeScope();
        RequireRoom(counts);
        var places = SegmentPlaces(counts, [.. _lengths.Select((n, s) => _starts[s] + n)], Device);
        _keys.index_copy_(0, places, keys);
        _values.index_copy_(0, places, values);
        _positions.index_copy_(0, places, positions);
        SetLengths([.. _lengths.Zip(counts, (n, count) => n + count)]);
    }

    /// <summary>Forgets the entries behind the first <paramref name="storedLength"/> of every segment; 0 empties the cache.</summary>
    public void Truncate(long storedLength) => Truncate([.. _lengths.Select(_ => storedLength)]);

    /// <summary>Forgets the entries behind the first so many of each segment.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A segment holds fewer.</exception>
    public void Truncate(IReadOnlyList<long> storedLengths)
    {
        if (storedLengths.Count != _lengths.Length)
            throw new ArgumentException($"{storedLengths.Count} lengths are not one for each of {_lengths.Length} segments.");
        for (var s = 0; s < _lengths.Length; s++)
            if (storedLengths[s] < 0 || storedLengths[s] > _lengths[s])
                throw new ArgumentOutOfRangeException(nameof(storedLengths), storedLengths[s], $"allowed: 0..{_lengths[s]}");
        SetLengths([.. storedLengths]);
    }

    /// <summary>Forgets the entries at or behind a logical position; places without entry stay.</summary>
    internal void Crop(long position)
    {
        using var scope = NewDisposeScope();
        var kept = new long[_lengths.Length];
        for (var s = 0; s < kept.Length; s++)
            kept[s] = Used(_positions, s).lt(position).sum().item<long>(); // positions increase, so those below come first
        Truncate(kept);
    }

    /// <summary>A cache of its own storage with some of this one's entries.</summary>
    /// <param name="places">Which entries of each segment, [Σ n] (int64), counted from the segment's first, increasing.</param>
    /// <param name="counts">How many of each segment.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    internal LayerCache Gather(Tensor places, IReadOnlyList<long> counts, long reserve)
    {
        using var scope = NewDisposeScope();
        var cache = new LayerCache(Batch, KvHeads, [.. counts.Select(n => n + reserve)], HeadSize, DType, Device);
        var segment = arange(counts.Count, device: Device).repeat_interleave(tensor(counts.ToArray(), device: Device));
        var index = tensor(_starts, device: Device)[segment] + places;
        cache.Append(_keys.index_select(0, index), _values.index_select(0, index), _positions.index_select(0, index), counts);
        cache.HasGaps = HasGaps;
        return cache;
    }

    /// <summary>A copy in storage of its own.</summary>
    /// <param name="reserve">Room for this many tokens to come.</param>
    public LayerCache Copy(long reserve)
    {
        using var scope = NewDisposeScope();
        return Gather(SegmentPlaces(_lengths, new long[_lengths.Length], Device), _lengths, reserve);
    }

    /// <summary>The whole storage, for attention over segments: keys, values [Σ capacity, D] and positions [Σ capacity].</summary>
    internal (Tensor Keys, Tensor Values, Tensor Positions, IReadOnlyList<long> Starts) Storage => (_keys, _values, _positions, _starts);

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _positions.Dispose();
        _ends?.Dispose();
        _firsts?.Dispose();
    }

    /// <summary>Where each segment starts, and where the last one's room ends, [S+1]; where each segment in use ends, [S]: int64 on the device.</summary>
    internal (Tensor Starts, Tensor Ends) Bounds() => (_firsts ??= tensor(_starts, device: Device).DetachFromDisposeScope(), Ends());

    /// <summary>Where each segment starts, and how many entries it has with so many more, [2,S] (int64 on the CPU).</summary>
    internal Tensor Spans(long more) => tensor([.. _starts.Take(_lengths.Length), .. _lengths.Select(n => n + more)]).view(2, -1);

    /// <summary>Makes sure that every segment has room for so many more entries.</summary>
    /// <exception cref="InvalidOperationException">One has not.</exception>
    internal void RequireRoom(long count) => RequireRoom([.. _lengths.Select(_ => count)]);

    /// <summary>Counts entries that a compiled step has written behind those in use, equally many in every segment.</summary>
    internal void Count(long written)
    {
        for (var s = 0; s < _lengths.Length; s++)
            _lengths[s] += written;
        _ends?.add_(written);
    }

    /// <summary>Places first, first + 1, … of each segment, [Σ count] (int64).</summary>
    private static Tensor SegmentPlaces(IReadOnlyList<long> counts, IReadOnlyList<long> firsts, Device device)
    {
        var places = new long[counts.Sum()];
        var next = 0;
        for (var s = 0; s < counts.Count; s++)
        for (var i = 0L; i < counts[s]; i++)
            places[next++] = firsts[s] + i;
        return tensor(places, device: device);
    }

    private void SetLengths(long[] lengths)
    {
        _lengths = lengths;
        IsRectangular = EqualCapacities && lengths.Distinct().Count() <= 1;
        _ends?.Dispose();
        _ends = null;
    }

    private void RequireRoom(IReadOnlyList<long> counts)
    {
        for (var s = 0; s < _lengths.Length; s++)
            if (_starts[s] + _lengths[s] + counts[s] > _starts[s + 1])
                throw new InvalidOperationException(
                    $"the cache has room for {_starts[s + 1] - _starts[s]} entries and holds {_lengths[s]}; {counts[s]} more do not fit: prefill with a larger reserve."
                );
    }

    private Tensor Ends() => _ends ??= tensor(_lengths.Select((n, s) => _starts[s] + n).ToArray(), device: Device).DetachFromDisposeScope();

    private Tensor Block(Tensor storage) => storage.view([Batch, KvHeads, _starts[1], .. storage.shape[1..]]);

    private Tensor Rectangle(Tensor storage)
    {
        var count = StoredLength; // refuses a ragged layer before torch does
        return Block(storage).narrow(2, 0, count);
    }

    private Tensor Used(Tensor storage, long segment) => storage.narrow(0, _starts[segment], _lengths[segment]);
}
