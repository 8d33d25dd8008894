using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>
/// Keys and values of one layer: for each row and key/value head a segment <c>b·G + g</c> of stored entries, and with each entry the logical position that it
/// was computed at. Segments may differ in length, and a place among the entries says nothing about a position. How entries are held is the layer's own affair,
/// and nothing else sees it: <see cref="DenseLayer"/> holds them as they came.
/// </summary>
public interface ICacheLayer : IDisposable
{
    /// <summary>B, the rows.</summary>
    long Batch { get; }

    /// <summary>G, the key/value heads.</summary>
    long KvHeads { get; }

    /// <summary>D.</summary>
    long HeadSize { get; }

    /// <summary>Dtype of the keys and values that come in and are given out.</summary>
    ScalarType DType { get; }

    /// <summary>Where the entries are.</summary>
    Device Device { get; }

    /// <summary>Entries in each segment <c>b·G + g</c>.</summary>
    IReadOnlyList<long> StoredLengths { get; }

    /// <summary>Entries there is room for in a segment, at least.</summary>
    long Capacity { get; }

    /// <summary>Entries that still fit into the segment with the least room.</summary>
    long Room { get; }

    /// <summary>Bytes of the entries held.</summary>
    long Bytes { get; }

    /// <summary>Bytes that keys and values hold, counted from their storage (room for tokens to come included).</summary>
    long StorageBytes { get; }

    /// <summary>Bytes that the positions hold, counted from their storage.</summary>
    long PositionBytes { get; }

    /// <summary>The entries of one row and head, in order: keys and values [n, D], positions [n] (int64), -1 where a place holds no entry. They are read only.</summary>
    (Tensor Keys, Tensor Values, Tensor Positions) Segment(long row, long head);

    /// <summary>The entries of all rows and heads, where all have equally many: keys and values [B, G, n, D], positions [B, G, n] (int64). They are read only.</summary>
    /// <exception cref="InvalidOperationException">Segments differ in length, or in the room that they have.</exception>
    (Tensor Keys, Tensor Values, Tensor Positions) Entries();

    /// <summary>Writes entries behind those that are there, equally many in every segment.</summary>
    /// <param name="keys">Post-RoPE keys [B, G, T, D].</param>
    /// <param name="values">Values [B, G, T, D].</param>
    /// <param name="positions">Their logical positions, int64, broadcastable to [B, G, T].</param>
    /// <exception cref="InvalidOperationException">The entries do not fit.</exception>
    void Append(Tensor keys, Tensor values, Tensor positions);

    /// <summary>Attends queries [B,H,T,D] to the entries → [B,H,T,D]. Scale is 1/√D.</summary>
    /// <param name="queries">Post-RoPE queries, query heads of a key/value head side by side.</param>
    /// <param name="positions">Positions [B,T] of the rows (int64), whose own entries are appended: a row sees the entries that stand at or before it.</param>
    /// <param name="window">A row sees this many positions, its own included; null when it sees all before it.</param>
    Tensor Attend(Tensor queries, Tensor positions, int? window = null);

    /// <summary>A layer of its own with some of this one's entries; this one stays as it is.</summary>
    /// <param name="places">Which entries of each segment, [Σ n] (int64), counted from the segment's first, increasing.</param>
    /// <param name="counts">How many of each segment.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    ICacheLayer Keep(Tensor places, IReadOnlyList<long> counts, long reserve);

    /// <summary>A layer of its own with the same entries.</summary>
    /// <param name="reserve">Room for this many tokens to come.</param>
    ICacheLayer Copy(long reserve);

    /// <summary>A layer of its own with this one's rows and behind them those of others, none of which changes.</summary>
    /// <param name="others">Layers of the same kind, kv heads, head size, dtype and device.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    ICacheLayer Stack(IReadOnlyList<ICacheLayer> others, long reserve);

    /// <summary>Forgets the entries behind the first so many of each segment.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A segment holds fewer.</exception>
    void Truncate(IReadOnlyList<long> storedLengths);

    /// <summary>Forgets the entries at or behind a logical position.</summary>
    void Crop(long position);

    /// <summary>
    /// What a compiled step reads and writes where it lies, past this interface: one call runs all layers, and a recording of it keeps their addresses.
    /// Null where the layer holds its entries otherwise, or needs a mask: then steps run as they are written, through <see cref="Append"/> and <see cref="Attend"/>.
    /// </summary>
    internal IStepStorage? StepStorage => null;
}

/// <summary>The tensors of a layer that a compiled step reads and writes itself. Only <see cref="Passes"/> may ask for them.</summary>
internal interface IStepStorage
{
    /// <summary>Keys of all segments with their room, one behind the other, [Σ capacity, D].</summary>
    Tensor Keys { get; }

    /// <summary>Values, as the keys.</summary>
    Tensor Values { get; }

    /// <summary>Positions [Σ capacity] (int64).</summary>
    Tensor Positions { get; }

    /// <summary>Where each segment starts, and where the last one's room ends, S+1 of them.</summary>
    IReadOnlyList<long> Starts { get; }

    /// <summary>Entries of every segment, where all segments have equally many and equally much room; else null.</summary>
    long? EvenLength { get; }

    /// <summary>Where each segment in use ends, [S] (int64 on the device).</summary>
    Tensor Ends { get; }

    /// <summary>Where each segment starts, and how many entries it has with so many more, [2,S] (int64 on the CPU).</summary>
    Tensor Spans(long more);

    /// <summary>Makes sure that every segment has room for so many more entries.</summary>
    /// <exception cref="InvalidOperationException">One has not.</exception>
    void RequireRoom(long count);

    /// <summary>Counts entries that a step has written behind those in use, equally many in every segment.</summary>
    void Count(long written);
}
