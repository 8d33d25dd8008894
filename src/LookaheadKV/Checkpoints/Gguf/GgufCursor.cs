using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>Reads the little-endian values of a GGUF header one after the other; what is not there is named by <see cref="What"/>.</summary>
internal sealed class GgufCursor(MappedBytes bytes)
{
    // Keys, token texts and templates; a length beyond it is not a text but damage.
    private const int MaxText = 1 << 28;
    private const int MaxNesting = 8;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What is being read, for messages.</summary>
    public string What { get; set; } = "the header";

    public long Position { get; private set; }

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A number of things of which each takes at least <paramref name="least"/> bytes of what is left of the file.</summary>
    public int Count(int least)
    {
        var count = UInt64();
        return count <= (ulong)((bytes.Length - Position) / least) && count <= int.MaxValue
            ? (int)count
            : throw Truncated($"{count} of them");
    }

    public string Text()
    {
        var length = UInt64();
        if (length > (ulong)(bytes.Length - Position) || length > MaxText)
            throw Truncated($"{length} bytes of text");
        try
        {
            return StrictUtf8.GetString(Take((int)length));
        }
        catch (DecoderFallbackException error)
        {
            throw new InputException($"{What}: byte {error.Index} of its text is not UTF-8", error);
        }
    }

    /// <summary>A value: of whole numbers a <see cref="long"/> or <see cref="ulong"/>, else float, double, bool, string, or an array of one of them or of arrays.</summary>
    public object Value(uint type, int depth = 0) =>
        type switch
        {
            0 => (ulong)Take(1)[0],
            1 => (long)(sbyte)Take(1)[0],
            2 => (ulong)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)),
            3 => (long)BinaryPrimitives.ReadInt16LittleEndian(Take(2)),
            4 => (ulong)UInt32(),
            5 => (long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)),
            6 => BinaryPrimitives.ReadSingleLittleEndian(Take(4)),
            7 => Bool(),
            8 => Text(),
            9 => Array(depth),
            10 => UInt64(),
            11 => BinaryPrimitives.ReadInt64LittleEndian(Take(8)),
            12 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8)),
            _ => throw new InputException($"{What} has the value type {type}; the format has 0 to 12"),
        };

    private Array Array(int depth)
    {
        if (depth == MaxNesting)
            throw new InputException($"{What} has arrays within arrays, more than {MaxNesting} deep");
        var type = UInt32();
        return type switch
        {
            0 => Numbers<byte>(),
            1 => Numbers<sbyte>(),
            2 => Numbers<ushort>(),
            3 => Numbers<short>(),
            4 => Numbers<uint>(),
            5 => Numbers<int>(),
            6 => Numbers<float>(),
            7 => Fill(1, Bool),
            8 => Fill(8, Text),
            9 => Fill(12, () => Array(depth + 1)),
            10 => Numbers<ulong>(),
            11 => Numbers<long>(),
            12 => Numbers<double>(),
            _ => throw new InputException($"{What} is an array of the value type {type}; the format has 0 to 12"),
        };
    }

    private unsafe T[] Numbers<T>()
        where T : unmanaged
    {
        var values = new T[Count(sizeof(T))];
        var target = MemoryMarshal.AsBytes(values.AsSpan());
        Take(target.Length).CopyTo(target);
        return values;
    }

    private T[] Fill<T>(int least, Func<T> read)
    {
        var values = new T[Count(least)];
        for (var i = 0; i < values.Length; i++)
            values[i] = read();
        return values;
    }

    private bool Bool() =>
        Take(1)[0] switch
        {
            0 => false,
            1 => true,
            var other => throw new InputException($"{What} is a truth value of {other}; it is 0 or 1"),
        };

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > bytes.Length - Position)
            throw Truncated($"{count} bytes");
        Position += count;
        return bytes.Span(Position - count, count);
    }

    private InputException Truncated(string needed) =>
        new($"it is truncated or damaged: {What} needs {needed} at byte {Position}, and {bytes.Length - Position} bytes are left");
}
