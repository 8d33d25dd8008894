using LookaheadKV.Attention;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>
/// Keys and values of one layer in preallocated storage: a segment of [capacity, D] for each row and key/value head, one behind the other, of which the
/// first so many entries are in use. Segments may differ in length; where they do not, the layer is a rectangle [B, G, n, D].
/// Position -1 marks a place that holds no entry (a shorter row of a batch).
/// </summary>
public sealed class DenseLayer : ICacheLayer, IStepStorage
{
    private readonly long[] _starts; // of each segment, and the end of the last
    private readonly Tensor _keys; // [Σ capacity, D]
    private readonly Tensor _values;
    private readonly Tensor _positions; // [Σ capacity]
    private long[] _lengths;
    private Tensor? _ends; // of each segment in use, [S] on the device: where a ragged layer writes next
    private Tensor? _firsts; // _starts on the device

    /// <summary>Allocates a rectangle with room for <paramref name="capacity"/> entries a head.</summary>
    public DenseLayer(long batch, long kvHeads, long capacity, long headSize, ScalarType dtype, Device device)
        : this(batch, kvHeads, [.. Enumerable.Repeat(capacity, (int)(batch * kvHeads))], headSize, dtype, device) { }

    /// <summary>Allocates room for so many entries in each segment <c>b·G + g</c>.</summary>
    public DenseLayer(long batch, long kvHeads, IReadOnlyList<long> capacities, long headSize, ScalarType dtype, Device device)
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

    /// <inheritdoc/>
    public long Batch { get; }

    /// <inheritdoc/>
    public long KvHeads { get; }

    /// <inheritdoc/>
    public long HeadSize { get; }

    /// <inheritdoc/>
    public ScalarType DType => _keys.dtype;

    /// <inheritdoc/>
    public Device Device => _keys.device;

    /// <inheritdoc/>
    public IReadOnlyList<long> StoredLengths => _lengths;

    /// <summary>Whether all segments are of one length, so that the layer can be read as [B, G, n, D].</summary>
    public bool IsRectangular { get; private set; }

    /// <summary>Entries in use, n, of a rectangle.</summary>
    public long StoredLength =>
        IsRectangular
            ? _lengths[0]
            : throw new InvalidOperationException("the heads of this layer hold different numbers of entries; read StoredLengths.");

    /// <inheritdoc/>
    public long Capacity => Enumerable.Range(0, _lengths.Length).Min(s => _starts[s + 1] - _starts[s]);

    /// <inheritdoc/>
    public long Room => _lengths.Select((n, s) => _starts[s + 1] - _starts[s] - n).Min();

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

    /// <inheritdoc/>
    public long StorageBytes => StorageBytesOf.Tensor(_keys) + StorageBytesOf.Tensor(_values);

    /// <inheritdoc/>
    public long PositionBytes => StorageBytesOf.Tensor(_positions);

    private bool EqualCapacities { get; }

    /// <summary>The entries of one row and head: keys and values [n, D], positions [n]; views.</summary>
    public (Tensor Keys, Tensor Values, Tensor Positions) Segment(long row, long head)
    {
        var s = row * KvHeads + head;
        return (Used(_keys, s), Used(_values, s), Used(_positions, s));
    }

    /// <summary>Keys, values and positions of a rectangle; views.</summary>
    /// <inheritdoc/>
    public (Tensor Keys, Tensor Values, Tensor Positions) Entries() => (Keys, Values, Positions);

    /// <inheritdoc/>
    public void Append(Tensor keys, Tensor values, Tensor positions) => Append(keys, values, positions, gaps: false);

    /// <summary>Writes entries behind those in use, equally many in every segment.</summary>
    /// <param name="keys">Post-RoPE keys [B, G, T, D].</param>
    /// <param name="values">Values [B, G, T, D].</param>
    /// <param name="positions">Their logical positions, int64, broadcastable to [B, G, T]; -1 where there is no entry.</param>
    /// <param name="gaps">Whether <paramref name="positions"/> holds a -1.</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    public void Append(Tensor keys, Tensor values, Tensor positions, bool gaps)
    {
        using var scope = NewDisposeScope();
        var count = keys.size(2);
        RequireRoom(count);
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
        Count(count);
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

    /// <inheritdoc/>
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
    public void Crop(long position)
    {
        using var scope = NewDisposeScope();
        var kept = new long[_lengths.Length];
        for (var s = 0; s < kept.Length; s++)
            kept[s] = Used(_positions, s).lt(position).sum().item<long>(); // positions increase, so those below come first
        Truncate(kept);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">There is a window, and segments differ in length.</exception>
    public Tensor Attend(Tensor queries, Tensor positions, int? window = null)
    {
        using var scope = NewDisposeScope();
        var unmasked = queries.size(2) == 1 && !HasGaps && window is null;
        if (IsRectangular)
        {
            var visible = unmasked ? null : CacheAttention.Visible(Positions, positions, window);
            return FusedAttention.Visible(queries, Keys, Values, visible).MoveToOuterDisposeScope();
        }
        if (window is not null)
            throw new NotSupportedException("a ragged layer is attended to as a whole: eviction refuses prompts beyond a sliding window.");
        var attended =
            unmasked && Operators.HasFlash(queries)
                ? CacheAttention.Segments(queries, _keys, _values, Firsts(), Ends(), _lengths.Max())
                : CacheAttention.Segments(queries, _keys, _values, _positions, _starts, _lengths, unmasked ? null : positions);
        return attended.MoveToOuterDisposeScope();
    }

    /// <summary>A layer of its own storage with some of this one's entries.</summary>
    /// <param name="places">Which entries of each segment, [Σ n] (int64), counted from the segment's first, increasing.</param>
    /// <param name="counts">How many of each segment.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    public DenseLayer Keep(Tensor places, IReadOnlyList<long> counts, long reserve)
    {
        using var scope = NewDisposeScope();
        var layer = new DenseLayer(Batch, KvHeads, [.. counts.Select(n => n + reserve)], HeadSize, DType, Device);
        var segment = arange(counts.Count, device: Device).repeat_interleave(tensor(counts.ToArray(), device: Device));
        var index = tensor(_starts, device: Device)[segment] + places;
        layer.Append(_keys.index_select(0, index), _values.index_select(0, index), _positions.index_select(0, index), counts);
        layer.HasGaps = HasGaps;
        return layer;
    }

    /// <summary>A copy in storage of its own.</summary>
    /// <param name="reserve">Room for this many tokens to come.</param>
    public DenseLayer Copy(long reserve)
    {
        using var scope = NewDisposeScope();
        return Keep(SegmentPlaces(_lengths, new long[_lengths.Length], Device), _lengths, reserve);
    }

    ICacheLayer ICacheLayer.Keep(Tensor places, IReadOnlyList<long> counts, long reserve) => Keep(places, counts, reserve);

    ICacheLayer ICacheLayer.Copy(long reserve) => Copy(reserve);

    ICacheLayer ICacheLayer.Stack(IReadOnlyList<ICacheLayer> others, long reserve) =>
        DenseStacking.Stack([this, .. others.Cast<DenseLayer>()], reserve);

    // Places without entry need a mask, which a compiled step has not.
    IStepStorage? ICacheLayer.StepStorage => HasGaps ? null : this;

    Tensor IStepStorage.Keys => _keys;

    Tensor IStepStorage.Values => _values;

    Tensor IStepStorage.Positions => _positions;

    IReadOnlyList<long> IStepStorage.Starts => _starts;

    long? IStepStorage.EvenLength => IsRectangular ? _lengths[0] : null;

    Tensor IStepStorage.Ends => Ends();

    Tensor IStepStorage.Spans(long more) => tensor([.. _starts.Take(_lengths.Length), .. _lengths.Select(n => n + more)]).view(2, -1);

    void IStepStorage.RequireRoom(long count) => RequireRoom(count);

    void IStepStorage.Count(long written) => Count(written);

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _positions.Dispose();
        _ends?.Dispose();
        _firsts?.Dispose();
    }

    private void Count(long written)
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

    private void RequireRoom(long count) => RequireRoom([.. _lengths.Select(_ => count)]);

    private void RequireRoom(IReadOnlyList<long> counts)
    {
        for (var s = 0; s < _lengths.Length; s++)
            if (_starts[s] + _lengths[s] + counts[s] > _starts[s + 1])
                throw new InvalidOperationException(
                    $"the cache has room for {_starts[s + 1] - _starts[s]} entries and holds {_lengths[s]}; {counts[s]} more do not fit: prefill with a larger reserve."
                );
    }

    private Tensor Firsts() => _firsts ??= tensor(_starts, device: Device).DetachFromDisposeScope();

    private Tensor Ends() => _ends ??= tensor(_lengths.Select((n, s) => _starts[s] + n).ToArray(), device: Device).DetachFromDisposeScope();

    private Tensor Block(Tensor storage) => storage.view([Batch, KvHeads, _starts[1], .. storage.shape[1..]]);

    private Tensor Rectangle(Tensor storage)
    {
        var count = StoredLength; // refuses a ragged layer before torch does
        return Block(storage).narrow(2, 0, count);
    }

    private Tensor Used(Tensor storage, long segment) => storage.narrow(0, _starts[segment], _lengths[segment]);
}
