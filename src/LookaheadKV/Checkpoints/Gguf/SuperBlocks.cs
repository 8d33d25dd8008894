using System.Runtime.Intrinsics;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// Blocks of 256 numbers ("K-quants") in groups of 16 or 32: each group has a small scale, and in some types a small offset, whose own scales are
/// half-precision numbers of the block. Bits of the same weight of numbers that stand 32 or 64 places apart share a byte.
/// </summary>
internal static unsafe class SuperBlocks
{
    private const int Size = 256;
    private const int Groups = 16;

    // 16 bytes of scale | offset << 4, 64 of 2-bit numbers, scale of scales, scale of offsets.
    public static void Q2(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 84, target += Size)
        {
            var (d, min) = (Lanes.Half(source + 80), Lanes.Half(source + 82));
            for (var group = 0; group < Groups; group++)
            {
                var bytes = Lanes.Load(source + 16 + Place(group));
                var (scale, offset) = (d * (source[group] & 15), min * (source[group] >> 4));
                Lanes.Scale(Lanes.Bits(bytes, Shift(group), 3), scale, -offset, target + 16 * group);
            }
        }
    }

    // 32 bytes of third bits (unset takes 4 away), 64 of two lower bits, 12 of 6-bit scales that count from 32, scale of scales.
    public static void Q3(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 110, target += Size)
        {
            var d = Lanes.Half(source + 108);
            var scales = source + 96;
            for (var group = 0; group < Groups; group++)
            {
                var low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
                var high = (scales[8 + group % 4] >> (2 * (group / 4))) & 3;
                var third = Lanes.Bits(Lanes.Load(source + 16 * (group % 2)), group / 2, 1) << 2;
                var two = Lanes.Bits(Lanes.Load(source + 32 + Place(group)), Shift(group), 3);
                Lanes.Scale(Lanes.Signed(two | third, 4), d * ((low | (high << 4)) - 32), target + 16 * group);
            }
        }
    }

    // Scale of scales, scale of offsets, 12 bytes of eight 6-bit scales and offsets, 128 of 4-bit numbers.
    public static void Q4(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 144, target += Size)
        for (var group = 0; group < Groups; group++)
        {
            var (scale, offset) = ScaleAndOffset(source, group / 2);
            Lanes.Scale(Nibbles(source + 16, group), scale, -offset, target + 16 * group);
        }
    }

    // As Q4, with 32 bytes of fifth bits before the numbers.
    public static void Q5(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 176, target += Size)
        for (var group = 0; group < Groups; group++)
        {
            var (scale, offset) = ScaleAndOffset(source, group / 2);
            var fifth = Lanes.Bits(Lanes.Load(source + 16 + 16 * (group % 2)), group / 2, 1) << 4;
            Lanes.Scale(Nibbles(source + 48, group) | fifth, scale, -offset, target + 16 * group);
        }
    }

    // 128 bytes of four lower bits, 64 of two upper ones, 16 signed scales, scale of scales; numbers count from 32.
    public static void Q6(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 210, target += Size)
        {
            var d = Lanes.Half(source + 208);
            var scales = (sbyte*)(source + 192);
            for (var group = 0; group < Groups; group++)
            {
                var (half, within) = (group / 8, group % 8);
                var four = Lanes.Bits(Lanes.Load(source + 64 * half + 16 * (within % 4)), within < 4 ? 0 : 4, 15);
                var two = Lanes.Bits(Lanes.Load(source + 128 + Place(group)), Shift(group), 3) << 4;
                Lanes.Scale(Lanes.Signed(four | two, 32), d * scales[group], target + 16 * group);
            }
        }
    }

    // Of 2-bit numbers 32 bytes hold half a block: the first 32 numbers are in their lowest bits, and so on.
    private static int Place(int group) => 32 * (group / 8) + 16 * (group % 2);

    private static int Shift(int group) => 2 * (group % 8 / 2);

    // Of 4-bit numbers 32 bytes hold 64: the first 32 are in their lower halves.
    private static Vector128<byte> Nibbles(byte* numbers, int group) =>
        Lanes.Bits(Lanes.Load(numbers + 32 * (group / 4) + 16 * (group % 2)), group % 4 < 2 ? 0 : 4, 15);

    // The last four scales and offsets have their lower four bits in one byte, and the upper two above the first four's.
    private static (float Scale, float Offset) ScaleAndOffset(byte* block, int group)
    {
        var packed = block + 4;
        var (scale, offset) =
            group < 4
                ? (packed[group] & 63, packed[group + 4] & 63)
                : ((packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4), (packed[group + 4] >> 4) | (packed[group] >> 6 << 4));
        return (Lanes.Half(block) * scale, Lanes.Half(block + 2) * offset);
    }
}
