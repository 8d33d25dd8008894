using System.Runtime.Intrinsics;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>4-bit numbers that are places in a table of sixteen values, denser around zero ("IQ4").</summary>
internal static unsafe class TableBlocks
{
    private static readonly Vector128<sbyte> Values = Vector128.Create(
        (sbyte)-127,
        -104,
        -83,
        -65,
        -49,
        -35,
        -22,
        -10,
        1,
        13,
        25,
        38,
        53,
        69,
        89,
        113
    );

    // A block of 32: scale, numbers as in Q4_0.
    public static void Iq4Nl(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 18, target += 32)
            Group(source + 2, Lanes.Half(source), target);
    }

    // A block of 256: scale of scales, the two upper bits of eight 6-bit scales that count from 32, their four lower bits, numbers.
    public static void Iq4Xs(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 136, target += 256)
        {
            var (d, upper) = (Lanes.Half(source), *(ushort*)(source + 2));
            for (var group = 0; group < 8; group++)
            {
                var low = (source[4 + group / 2] >> (4 * (group % 2))) & 15;
                var high = (upper >> (2 * group)) & 3;
                Group(source + 8 + 16 * group, d * ((low | (high << 4)) - 32), target + 32 * group);
            }
        }
    }

    private static void Group(byte* numbers, float scale, float* target)
    {
        var bytes = Lanes.Load(numbers);
        Lanes.Scale(Vector128.Shuffle(Values, Lanes.Bits(bytes, 0, 15).AsSByte()), scale, target);
        Lanes.Scale(Vector128.Shuffle(Values, Lanes.Bits(bytes, 4, 15).AsSByte()), scale, target + 16);
    }
}
