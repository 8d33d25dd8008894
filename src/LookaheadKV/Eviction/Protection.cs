using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Positions that are kept whatever their score: a set, joined to the kept set before anything is ranked.</summary>
/// <param name="First">How many positions at the start (attention sinks).</param>
/// <param name="Last">How many positions at the end (the observation window).</param>
public sealed record Protection(int First, int Last)
{
    /// <summary>Nothing is protected.</summary>
    public static Protection None { get; } = new(0, 0);

    /// <summary>The first <paramref name="count"/> positions.</summary>
    public static Protection FirstTokens(int count) => new(count, 0);

    /// <summary>The last <paramref name="count"/> positions.</summary>
    public static Protection LastTokens(int count) => new(0, count);

    /// <summary>How many of <paramref name="length"/> positions are protected.</summary>
    public long Count(long length) => Math.Min(length, (long)First + Last);

    /// <summary>The set as a mask, bool [N].</summary>
    public Tensor Mask(long length, Device device)
    {
        using var scope = NewDisposeScope();
        var position = arange(length, device: device);
        return position.lt(First).logical_or(position.ge(length - Last)).MoveToOuterDisposeScope();
    }
}
