using System.Globalization;

namespace LookaheadKV.Cli.Common;

/// <summary>Which prompts are held out of a training to measure on: a share or a number of them, or a file of their own.</summary>
/// <param name="Share">Share of the prompts.</param>
/// <param name="Count">Number of prompts; with a share, the most.</param>
/// <param name="File">JSON-lines file.</param>
internal sealed record HeldOut(double? Share, int? Count, string? File)
{
    /// <summary>What is held out where nothing is said: measuring every step's worth of a large file would take hours.</summary>
    public static HeldOut Default { get; } = new(0.05, 64, null);

    /// <summary>Reads <c>5%</c>, <c>64</c>, or a path.</summary>
    /// <exception cref="InputException">The share is not within 0..100 %, or the number is negative.</exception>
    public static HeldOut Parse(string text)
    {
        if (text.EndsWith('%') && double.TryParse(text[..^1], NumberStyles.Float, CultureInfo.InvariantCulture, out var percent))
            return percent is >= 0 and < 100
                ? new HeldOut(percent / 100, null, null)
                : throw new InputException($"{text} cannot be held out; give 0% or more, below 100%.");
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count))
            return new HeldOut(null, null, text);
        return count >= 0
            ? new HeldOut(null, count, null)
            : throw new InputException($"{text} prompts cannot be held out; give 0 or more.");
    }

    /// <summary>How many of a file's prompts.</summary>
    public int Of(int prompts) => (int)Math.Min(Share is { } share ? Math.Floor(share * prompts) : prompts, Count ?? prompts);
}
