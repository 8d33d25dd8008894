using System.Buffers.Binary;
using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">How its numbers are stored.</param>
/// <param name="Shape">Sizes, the slowest first, as everywhere here; the file writes them the other way round.</param>
/// <param name="Begin">First byte, counted from the start of its file.</param>
internal sealed record GgufTensor(string Name, GgmlType Type, IReadOnlyList<long> Shape, long Begin)
{
    /// <summary>Numbers in it.</summary>
    public long Elements { get; } = Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Bytes in the file.</summary>
    public long Bytes => Type.Bytes(Elements);
}

/// <summary>
/// The header of one GGUF file, versions 2 and 3: <c>GGUF</c>, version, number of tensors and of metadata entries, the entries (key, type,
/// value), the tensors (name, sizes, type, place), then the tensors' bytes. Everything is checked against the file's length before memory is
/// taken for it.
/// </summary>
internal sealed record GgufHeader(GgufMetadata Metadata, IReadOnlyList<GgufTensor> Tensors)
{
    private const int LeastEntry = 8 + 4 + 1;
    private const int LeastTensor = 8 + 4 + 4 + 8;
    private const int MaxDimensions = 8;
    private const long MaxElements = 1L << 56; // whose bytes are still a 64-bit number
    private const int DefaultAlignment = 32;
    private static readonly uint[] Versions = [2, 3];

    /// <exception cref="InputException">The file is no GGUF file, is damaged, or is of a version or has a tensor type that is not read.</exception>
    public static GgufHeader Read(string path, MappedBytes bytes)
    {
        try
        {
            return Read(path, bytes, new GgufCursor(bytes));
        }
        catch (InputException error) when (!error.Message.Contains(path))
        {
            throw new InputException($"{path} is no GGUF file that can be read: {error.Message}.", error);
        }
    }

    private static GgufHeader Read(string path, MappedBytes bytes, GgufCursor cursor)
    {
        CheckStart(bytes, cursor);
        var tensorCount = cursor.Count(LeastTensor);
        var entryCount = cursor.Count(LeastEntry);
        var entries = new Dictionary<string, object>(StringComparer.Ordinal);
        for (var i = 0; i < entryCount; i++)
        {
            cursor.What = $"metadata entry {i + 1} of {entryCount}";
            var key = cursor.Text();
            cursor.What = $"metadata {Show(key)}";
            if (!entries.TryAdd(key, cursor.Value(cursor.UInt32())))
                throw new InputException($"{cursor.What} is there twice");
        }
        var metadata = new GgufMetadata(path, entries);
        var alignment = metadata.Count("general.alignment", DefaultAlignment);

        var stated = new List<(string Name, GgmlType Type, long[] Shape, ulong Offset)>();
        for (var i = 0; i < tensorCount; i++)
        {
            cursor.What = $"tensor {i + 1} of {tensorCount}";
            stated.Add(Tensor(cursor));
        }
        var data = (cursor.Position + alignment - 1) / alignment * alignment;
        return new(metadata, Placed(stated, data, bytes.Length));
    }

    private static void CheckStart(MappedBytes bytes, GgufCursor cursor)
    {
        if (bytes.Length < 4 || !bytes.Span(0, 4).SequenceEqual("GGUF"u8))
            throw new InputException(
                ForeignFile.Describe(bytes.Span(0, (int)Math.Min(bytes.Length, ForeignFile.Head))) is { } what
                    ? $"it is {what}"
                    : "it does not begin with GGUF; fetch it again"
            );
        cursor.UInt32();
        var version = cursor.UInt32();
        if (Versions.Contains(BinaryPrimitives.ReverseEndianness(version)))
            throw new InputException("it is written big-endian, for other processors; fetch a little-endian one");
        if (!Versions.Contains(version))
            throw new InputException(
                $"it has version {version}; versions {string.Join(" and ", Versions)} are read: fetch a newer one, or convert it again"
            );
    }

    private static (string Name, GgmlType Type, long[] Shape, ulong Offset) Tensor(GgufCursor cursor)
    {
        var name = cursor.Text();
        cursor.What = $"tensor {Show(name)}";
        if (name.Any(char.IsControl))
            throw new InputException($"the name of {cursor.What} has control characters, which no name has");
        var dimensions = cursor.UInt32();
        if (dimensions > MaxDimensions)
            throw new InputException($"{cursor.What} has {dimensions} dimensions; at most {MaxDimensions} are read");
        var shape = new long[dimensions];
        var elements = (Int128)1;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var size = cursor.UInt64();
            elements *= size;
            shape[i] = (long)size;
            if (size > long.MaxValue || elements > MaxElements)
                throw new InputException($"{cursor.What} has more elements than a file can hold");
        }
        var type = GgmlType.Of(cursor.UInt32(), cursor.What);
        var row = shape.Length == 0 ? 1 : shape[^1];
        if (row % type.BlockSize != 0)
            throw new InputException($"{cursor.What} has rows of {row}, which are no whole blocks of {type.Name} ({type.BlockSize})");
        return (name, type, shape, cursor.UInt64());
    }

    // Tensors may come in any order and with gaps, but each byte belongs to one of them.
    private static List<GgufTensor> Placed(List<(string Name, GgmlType Type, long[] Shape, ulong Offset)> stated, long data, long length)
    {
        var placed = new List<GgufTensor>(stated.Count);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var (end, before) = (data, "");
        foreach (var (name, type, shape, offset) in stated.OrderBy(tensor => tensor.Offset))
        {
            if (!names.Add(name))
                throw new InputException($"tensor {Show(name)} is there twice");
            if (offset > (ulong)Math.Max(0, length - data))
                throw new InputException(
                    $"it is truncated: tensor {Show(name)} begins at byte {offset} of the tensors, and there are {Math.Max(0, length - data)}"
                );
            var tensor = new GgufTensor(name, type, shape, data + (long)offset);
            if (tensor.Bytes > length - tensor.Begin)
                throw new InputException(
                    $"it is truncated: tensor {Show(name)} needs {tensor.Bytes} bytes from byte {tensor.Begin}, and the file ends at {length}; fetch it again"
                );
            if (tensor.Begin < end)
                throw new InputException($"tensors {Show(before)} and {Show(name)} overlap by {end - tensor.Begin} bytes");
            (end, before) = (tensor.Begin + tensor.Bytes, name);
            placed.Add(tensor);
        }
        return placed;
    }

    private static string Show(string name) => Quoting.Quote(name.Length <= 80 ? name : name[..80] + "…");
}
