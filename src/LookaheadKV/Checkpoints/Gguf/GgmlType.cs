using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>Makes <paramref name="blocks"/> blocks of stored numbers float32.</summary>
/// <param name="source">The first block.</param>
/// <param name="target">Where the first number goes.</param>
/// <param name="blocks">How many.</param>
internal unsafe delegate void Dequantize(byte* source, float* target, long blocks);

/// <summary>How a GGUF file stores the numbers of a tensor: plainly, as a type that libtorch has too, or in blocks with scales of their own.</summary>
/// <param name="Name">The name that ggml gives it.</param>
/// <param name="BlockSize">Numbers of a block.</param>
/// <param name="BlockBytes">Bytes of a block.</param>
/// <param name="Plain">libtorch's type of the same bits; null of a type with blocks.</param>
/// <param name="Dequantize">Makes blocks float32; null of a plain type.</param>
internal sealed unsafe record GgmlType(string Name, int BlockSize, int BlockBytes, ScalarType? Plain, Dequantize? Dequantize)
{
    private static readonly Dictionary<uint, GgmlType> Known = new()
    {
        [0] = Bits("F32", ScalarType.Float32, 4),
        [1] = Bits("F16", ScalarType.Float16, 2),
        [2] = new("Q4_0", 32, 18, null, SmallBlocks.Q40),
        [3] = new("Q4_1", 32, 20, null, SmallBlocks.Q41),
        [6] = new("Q5_0", 32, 22, null, SmallBlocks.Q50),
        [7] = new("Q5_1", 32, 24, null, SmallBlocks.Q51),
        [8] = new("Q8_0", 32, 34, null, SmallBlocks.Q80),
        [10] = new("Q2_K", 256, 84, null, SuperBlocks.Q2),
        [11] = new("Q3_K", 256, 110, null, SuperBlocks.Q3),
        [12] = new("Q4_K", 256, 144, null, SuperBlocks.Q4),
        [13] = new("Q5_K", 256, 176, null, SuperBlocks.Q5),
        [14] = new("Q6_K", 256, 210, null, SuperBlocks.Q6),
        [20] = new("IQ4_NL", 32, 18, null, TableBlocks.Iq4Nl),
        [23] = new("IQ4_XS", 256, 136, null, TableBlocks.Iq4Xs),
        [24] = Bits("I8", ScalarType.Int8, 1),
        [25] = Bits("I16", ScalarType.Int16, 2),
        [26] = Bits("I32", ScalarType.Int32, 4),
        [27] = Bits("I64", ScalarType.Int64, 8),
        [28] = Bits("F64", ScalarType.Float64, 8),
        [30] = Bits("BF16", ScalarType.BFloat16, 2),
    };

    // Those that are refused have names too.
    private static readonly Dictionary<uint, string> Others = new()
    {
        [9] = "Q8_1",
        [15] = "Q8_K",
        [16] = "IQ2_XXS",
        [17] = "IQ2_XS",
        [18] = "IQ3_XXS",
        [19] = "IQ1_S",
        [21] = "IQ3_S",
        [22] = "IQ2_S",
        [29] = "IQ1_M",
        [31] = "Q4_0_4_4",
        [32] = "Q4_0_4_8",
        [33] = "Q4_0_8_8",
        [34] = "TQ1_0",
        [35] = "TQ2_0",
        [39] = "MXFP4",
        [40] = "NVFP4",
    };

    /// <summary>The type of a number in the file.</summary>
    /// <param name="number">The number.</param>
    /// <param name="whose">Whose type it is, for the message.</param>
    /// <exception cref="InputException">It is none of those that are read.</exception>
    public static GgmlType Of(uint number, string whose) =>
        Known.TryGetValue(number, out var type)
            ? type
            : throw new InputException(
                $"{whose} is of type {(Others.TryGetValue(number, out var name) ? name : number)}; those that are read are {string.Join(", ", Known.Values.Select(known => known.Name))}: fetch the model in one of them"
            );

    /// <summary>Whether its numbers are fractions, as weights are.</summary>
    public bool IsWeight => Plain is null or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64;

    /// <summary>Bytes of so many elements, which are whole blocks.</summary>
    public long Bytes(long elements) => elements / BlockSize * BlockBytes;

    private static GgmlType Bits(string name, ScalarType type, int bytes) => new(name, 1, bytes, type, null);
}
