using System.Runtime.Intrinsics;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// Sixteen stored numbers at a time. A product and a sum are two roundings, as in ggml's own code for one number after the other: no fused
/// operation may take their place.
/// </summary>
internal static unsafe class Lanes
{
    private static readonly Vector128<byte> BitOfLane = Vector128.Create((byte)1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
    private static readonly Vector128<byte> ByteOfLane = Vector128.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);

    public static float Half(byte* at) => (float)BitConverter.UInt16BitsToHalf(*(ushort*)at);

    public static Vector128<byte> Load(byte* at) => Vector128.Load(at);

    /// <summary>Bits <paramref name="shift"/> and up of each byte, as many as <paramref name="mask"/> has.</summary>
    public static Vector128<byte> Bits(Vector128<byte> bytes, int shift, byte mask) => (bytes >>> shift) & Vector128.Create(mask);

    /// <summary><paramref name="value"/> in the lanes whose bit of the two bytes is set, zero in the others.</summary>
    public static Vector128<byte> WhereBit(byte* bits, byte value)
    {
        var spread = Vector128.Shuffle(Vector128.Create(*(ushort*)bits).AsByte(), ByteOfLane);
        return Vector128.Equals(spread & BitOfLane, BitOfLane) & Vector128.Create(value);
    }

    /// <summary>Numbers that count from <paramref name="zero"/>, as signed ones.</summary>
    public static Vector128<sbyte> Signed(Vector128<byte> numbers, sbyte zero) => numbers.AsSByte() - Vector128.Create(zero);

    /// <summary><c>scale · number</c>.</summary>
    public static void Scale(Vector128<sbyte> numbers, float scale, float* target)
    {
        var (low, high) = Vector128.Widen(numbers);
        var by = Vector128.Create(scale);
        foreach (var half in (ReadOnlySpan<Vector128<short>>)[low, high])
        {
            var (first, second) = Vector128.Widen(half);
            (by * Vector128.ConvertToSingle(first)).Store(target);
            (by * Vector128.ConvertToSingle(second)).Store(target + 4);
            target += 8;
        }
    }

    /// <summary><c>scale · number + offset</c>.</summary>
    public static void Scale(Vector128<byte> numbers, float scale, float offset, float* target)
    {
        Scale(numbers.AsSByte(), scale, target);
        var plus = Vector128.Create(offset);
        for (var i = 0; i < 16; i += 4)
            (Vector128.Load(target + i) + plus).Store(target + i);
    }
}
