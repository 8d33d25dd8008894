namespace LookaheadKV.Pretraining;

/// <summary>Counter-based seeds: any sequence of a run can be made without those before it, so a resumed run needs no generator state.</summary>
internal static class Seeds
{
    /// <summary>Stream of the training sequences.</summary>
    public const ulong Training = 1;

    /// <summary>Stream of the sequences that accuracy is measured on.</summary>
    public const ulong HeldOut = 2;

    /// <summary>Stream of the sequences that the number of answer tokens is estimated from.</summary>
    public const ulong Sizing = 3;

    /// <summary>The seed of one row of one batch in a stream.</summary>
    public static ulong Of(ulong seed, ulong stream, long batch, int row) => Mix(Mix(Mix(Mix(seed) ^ stream) ^ (ulong)batch) ^ (ulong)row);

    // The finaliser of SplitMix64.
    private static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
