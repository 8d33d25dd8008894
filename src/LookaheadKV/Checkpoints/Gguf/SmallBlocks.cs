using System.Runtime.Intrinsics;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// Blocks of 32 numbers with one half-precision scale, and in the types that end in 1 an offset behind it. Of 4-bit numbers byte i holds the
/// ones of places i (low half) and i + 16 (high half); fifth bits stand apart, bit i of a 32-bit word for place i.
/// </summary>
internal static unsafe class SmallBlocks
{
    private const int Size = 32;

    public static void Q40(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 18, target += Size)
        {
            var (scale, bytes) = (Lanes.Half(source), Lanes.Load(source + 2));
            Lanes.Scale(Lanes.Signed(Lanes.Bits(bytes, 0, 15), 8), scale, target);
            Lanes.Scale(Lanes.Signed(Lanes.Bits(bytes, 4, 15), 8), scale, target + 16);
        }
    }

    public static void Q41(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 20, target += Size)
        {
            var (scale, offset, bytes) = (Lanes.Half(source), Lanes.Half(source + 2), Lanes.Load(source + 4));
            Lanes.Scale(Lanes.Bits(bytes, 0, 15), scale, offset, target);
            Lanes.Scale(Lanes.Bits(bytes, 4, 15), scale, offset, target + 16);
        }
    }

    public static void Q50(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 22, target += Size)
        {
            var (scale, bytes) = (Lanes.Half(source), Lanes.Load(source + 6));
            Lanes.Scale(Lanes.Signed(Lanes.Bits(bytes, 0, 15) | Lanes.WhereBit(source + 2, 16), 16), scale, target);
            Lanes.Scale(Lanes.Signed(Lanes.Bits(bytes, 4, 15) | Lanes.WhereBit(source + 4, 16), 16), scale, target + 16);
        }
    }

    public static void Q51(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 24, target += Size)
        {
            var (scale, offset, bytes) = (Lanes.Half(source), Lanes.Half(source + 2), Lanes.Load(source + 8));
            Lanes.Scale(Lanes.Bits(bytes, 0, 15) | Lanes.WhereBit(source + 4, 16), scale, offset, target);
            Lanes.Scale(Lanes.Bits(bytes, 4, 15) | Lanes.WhereBit(source + 6, 16), scale, offset, target + 16);
        }
    }

    public static void Q80(byte* source, float* target, long blocks)
    {
        for (; blocks > 0; blocks--, source += 34, target += Size)
        {
            var scale = Lanes.Half(source);
            Lanes.Scale(Lanes.Load(source + 2).AsSByte(), scale, target);
            Lanes.Scale(Lanes.Load(source + 18).AsSByte(), scale, target + 16);
        }
    }
}
