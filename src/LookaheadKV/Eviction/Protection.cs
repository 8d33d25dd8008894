using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Positions that are kept whatever their score: a set, joined to the kept set before anything is ranked.</summary>
/// <param name="First">How many positions at the start (attention sinks).</param>
/// <param name="Last">How many positions at the end (the observation window).</param>
public sealed record Protection(int First, int Last)
{
    /// <summary>Nothing is protected.</summary>
    public static Protection None { get; } = new(0, 0);

    /// <summary>Single positions, increasing and unique; those beyond a prompt's end are no part of it.</summary>
    /// <exception cref="InputException">They are not.</exception>
    public EquatableList<int> Given
    {
        get;
        init => field = Increasing(value);
    } = EquatableList<int>.Empty;

    /// <summary>How many positions at the start (attention sinks), 0 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int First
    {
        get;
        init => field = value.AtLeast(0, "protection of the first tokens,", "give 0 or more");
    } = First.AtLeast(0, "protection of the first tokens,", "give 0 or more");

    /// <summary>How many positions at the end (the observation window), 0 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Last
    {
        get;
        init => field = value.AtLeast(0, "protection of the last tokens,", "give 0 or more");
    } = Last.AtLeast(0, "protection of the last tokens,", "give 0 or more");

    /// <summary>The first <paramref name="count"/> positions.</summary>
    public static Protection FirstTokens(int count) => new(count, 0);

    /// <summary>The last <paramref name="count"/> positions.</summary>
    public static Protection LastTokens(int count) => new(0, count);

    /// <summary>The given positions, in any order.</summary>
    /// <exception cref="InputException">A position is negative.</exception>
    public static Protection Positions(params IEnumerable<int> positions)
    {
        return new Protection(0, 0) { Given = new(positions.Distinct().Order()) };
    }

    /// <summary>How many of <paramref name="length"/> positions are protected.</summary>
    public long Count(long length)
    {
        var ends = Math.Min(length, (long)First + Last);
        return ends + Given.Count(position => position >= First && position < length - Last);
    }

    /// <summary>The set as a mask, bool [N].</summary>
    public Tensor Mask(long length, Device device)
    {
        using var scope = NewDisposeScope();
        var position = arange(length, device: device);
        var mask = position.lt(First).logical_or(position.ge(length - Last));
        long[] given = [.. Given.Where(position => position < length).Select(position => (long)position)];
        if (given.Length > 0)
            mask.index_fill_(0, tensor(given, device: device), true);
        return mask.MoveToOuterDisposeScope();
    }

    /// <summary>The protected positions and all others, each increasing (int64). Nothing waits for the device unless single positions are given.</summary>
    internal (Tensor Held, Tensor Others) Split(long length, Device device)
    {
        var first = Math.Min(First, length);
        var end = Math.Max(first, length - Last); // where the protected end begins
        long[] given = [.. Given.Select(position => (long)position).Where(position => position >= first && position < end)];
        if (given.Length == 0)
            return (cat([arange(first, device: device), arange(end, length, device: device)]), arange(first, end, device: device));
        var others = Enumerable.Range((int)first, (int)(end - first)).Select(position => (long)position).Except(given);
        return (
            cat([arange(first, device: device), tensor(given, device: device), arange(end, length, device: device)]),
            tensor(others.ToArray(), device: device)
        );
    }

    private static EquatableList<int> Increasing(EquatableList<int> given)
    {
        if (given.Count > 0 && given[0] < 0)
            throw new InputException($"protected position {given[0]} is negative; positions count from 0.");
        for (var i = 1; i < given.Count; i++)
            if (given[i] <= given[i - 1])
                throw new InputException(
                    $"protected positions {given[i - 1]} and {given[i]} do not increase; give each once, in order, or any by Protection.Positions."
                );
        return given;
    }

    /// <inheritdoc/>
    public override string ToString() => $"first {First}, last {Last}" + (Given.Count > 0 ? $", {Given.Count} given" : "");
}
