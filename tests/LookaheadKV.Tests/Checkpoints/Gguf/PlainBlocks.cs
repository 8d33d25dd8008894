namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>A stored type, and number <c>i</c> of a block of it from the format's description: one at a time, without vectors.</summary>
/// <param name="Name">ggml's name.</param>
/// <param name="Number">Its number in files.</param>
/// <param name="Size">Numbers of a block.</param>
/// <param name="Bytes">Bytes of a block.</param>
/// <param name="Halves">Where half-precision numbers stand.</param>
/// <param name="At">Number i of a block.</param>
internal sealed record PlainBlock(string Name, uint Number, int Size, int Bytes, int[] Halves, Func<byte[], int, float> At)
{
    private static readonly int[] Iq4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    public static IReadOnlyList<PlainBlock> All { get; } =
    [
        new("F32", 0, 1, 4, [], (b, _) => BitConverter.ToSingle(b)),
        new("F16", 1, 1, 2, [0], (b, _) => Half(b, 0)),
        new("Q4_0", 2, 32, 18, [0], (b, i) => Half(b, 0) * (Nibble(b, 2, i) - 8)),
        new("Q4_1", 3, 32, 20, [0, 2], (b, i) => Half(b, 0) * Nibble(b, 4, i) + Half(b, 2)),
        new("Q5_0", 6, 32, 22, [0], (b, i) => Half(b, 0) * (Nibble(b, 6, i) + 16 * Bit(b, 2, i) - 16)),
        new("Q5_1", 7, 32, 24, [0, 2], (b, i) => Half(b, 0) * (Nibble(b, 8, i) + 16 * Bit(b, 4, i)) + Half(b, 2)),
        new("Q8_0", 8, 32, 34, [0], (b, i) => (sbyte)b[2 + i] * Half(b, 0)),
        new("Q2_K", 10, 256, 84, [80, 82], Q2),
        new("Q3_K", 11, 256, 110, [108], Q3),
        new("Q4_K", 12, 256, 144, [0, 2], (b, i) => Affine(b, i / 32, Quarter(b, 16, i))),
        new("Q5_K", 13, 256, 176, [0, 2], (b, i) => Affine(b, i / 32, Quarter(b, 48, i) + 16 * ((b[16 + i % 32] >> (i / 32)) & 1))),
        new("Q6_K", 14, 256, 210, [208], Q6),
        new("IQ4_NL", 20, 32, 18, [0], (b, i) => Half(b, 0) * Iq4[Nibble(b, 2, i)]),
        new("IQ4_XS", 23, 256, 136, [0], Iq4Xs),
        new("BF16", 30, 1, 2, [], (b, _) => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(b) << 16)),
    ];

    /// <summary>So many random blocks whose scales are numbers.</summary>
    public byte[] Random(System.Random random, int blocks)
    {
        var bytes = new byte[blocks * Bytes];
        random.NextBytes(bytes);
        for (var block = 0; block < blocks; block++)
        {
            foreach (var half in Halves)
                BitConverter.TryWriteBytes(bytes.AsSpan(block * Bytes + half), (Half)(random.NextSingle() * 0.02f - 0.01f));
            if (Name == "F32")
                BitConverter.TryWriteBytes(bytes.AsSpan(block * Bytes), random.NextSingle() - 0.5f);
            if (Name == "BF16")
                BitConverter.TryWriteBytes(
                    bytes.AsSpan(block * Bytes),
                    (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16)
                );
        }
        return bytes;
    }

    public float[] Values(byte[] bytes) => [.. bytes.Chunk(Bytes).SelectMany(block => Enumerable.Range(0, Size).Select(i => At(block, i)))];

    private static float Half(byte[] block, int at) => (float)BitConverter.ToHalf(block, at);

    // Of 32 numbers the first 16 are the low halves of 16 bytes.
    private static int Nibble(byte[] block, int at, int i) => i < 16 ? block[at + i] & 15 : block[at + i - 16] >> 4;

    private static int Bit(byte[] block, int at, int i) => (block[at + i / 8] >> (i % 8)) & 1;

    // Of 64 numbers the first 32 are the low halves of 32 bytes.
    private static int Quarter(byte[] block, int at, int i)
    {
        var value = block[at + i / 64 * 32 + i % 32];
        return i % 64 < 32 ? value & 15 : value >> 4;
    }

    private static float Q2(byte[] block, int i)
    {
        var number = (block[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
        var scale = block[i / 16];
        return Half(block, 80) * (scale & 15) * number - Half(block, 82) * (scale >> 4);
    }

    private static float Q3(byte[] block, int i)
    {
        var two = (block[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
        var third = (block[i % 32] >> (i / 32)) & 1;
        var group = i / 16;
        var low = group < 8 ? block[96 + group] & 15 : block[96 + group - 8] >> 4;
        var high = (block[104 + group % 4] >> (group / 4 * 2)) & 3;
        return Half(block, 108) * (low + 16 * high - 32) * (two + 4 * third - 4);
    }

    private static float Affine(byte[] block, int group, int number)
    {
        int scale,
            offset;
        if (group < 4)
            (scale, offset) = (block[4 + group] & 63, block[8 + group] & 63);
        else
        {
            scale = (block[8 + group] & 15) + (block[group] >> 6) * 16;
            offset = (block[8 + group] >> 4) + (block[4 + group] >> 6) * 16;
        }
        return Half(block, 0) * scale * number - Half(block, 2) * offset;
    }

    private static float Q6(byte[] block, int i)
    {
        var (half, within) = (i / 128, i % 128);
        var four = block[64 * half + within % 64];
        var two = (block[128 + 32 * half + within % 32] >> (within / 32 * 2)) & 3;
        var number = (within < 64 ? four & 15 : four >> 4) + 16 * two - 32;
        return Half(block, 208) * (sbyte)block[192 + i / 16] * number;
    }

    private static float Iq4Xs(byte[] block, int i)
    {
        var group = i / 32;
        var low = (block[4 + group / 2] >> (group % 2 * 4)) & 15;
        var high = (BitConverter.ToUInt16(block, 2) >> (2 * group)) & 3;
        return Half(block, 0) * (low + 16 * high - 32) * Iq4[Nibble(block, 8 + 16 * group, i % 32)];
    }
}
