using System.Globalization;
using LookaheadKV.Models;

namespace LookaheadKV.Budgeting;

/// <summary>How much of the prompt's cache is kept: a number of tokens, a share of the prompt, or bytes. C of the documentation is <see cref="Tokens"/>.</summary>
public abstract record Budget
{
    private Budget() { }

    /// <summary>C entries a layer and key/value head.</summary>
    public sealed record InTokens(int Count) : Budget
    {
        /// <summary>C, 1 or more.</summary>
        /// <exception cref="InputException">It is less.</exception>
        public int Count
        {
            get;
            init => field = Something(value);
        } = Something(Count);

        /// <inheritdoc/>
        public override string ToString() => Count.ToString(CultureInfo.InvariantCulture);

        private static int Something(int count) =>
            count > 0 ? count : throw new InputException($"budget {count} keeps nothing; give at least 1 token.");
    }

    /// <summary>A share of the prompt, 0 &lt; share ≤ 1, rounded down to whole tokens.</summary>
    public sealed record InRatio(double Share) : Budget
    {
        /// <summary>The share, above 0 and at most 1.</summary>
        /// <exception cref="InputException">It is not.</exception>
        public double Share
        {
            get;
            init => field = Something(value);
        } = Something(Share);

        /// <inheritdoc/>
        public override string ToString() => (Share * 100).ToString("0.####", CultureInfo.InvariantCulture) + "%";

        private static double Something(double share) =>
            share is > 0 and <= 1 ? share : throw new InputException($"budget {share * 100}% is not above 0 and at most 100%.");
    }

    /// <summary>Bytes for the whole cache, all layers and heads, keys and values, rounded down to whole tokens.</summary>
    public sealed record InBytes(long Count) : Budget
    {
        /// <summary>Bytes, 1 or more.</summary>
        /// <exception cref="InputException">It is less.</exception>
        public long Count
        {
            get;
            init => field = Something(value);
        } = Something(Count);

        /// <inheritdoc/>
        public override string ToString() =>
            Count % (1 << 20) == 0 ? $"{Count >> 20}MiB"
            : Count % (1 << 10) == 0 ? $"{Count >> 10}KiB"
            : $"{Count}B";

        private static long Something(long count) =>
            count > 0 ? count : throw new InputException($"budget of {count} bytes keeps nothing; give at least the bytes of one token.");
    }

    /// <summary>A budget of <paramref name="count"/> entries a layer and head.</summary>
    public static Budget Tokens(int count) => new InTokens(count);

    /// <summary>A budget that is a share of the prompt.</summary>
    public static Budget Ratio(double share) => new InRatio(share);

    /// <summary>A budget in bytes for the whole cache.</summary>
    public static Budget Bytes(long count) => new InBytes(count);

    /// <summary>Reads <c>64</c>, <c>5%</c>, <c>2MiB</c>, <c>300KiB</c>, <c>1GiB</c> or <c>4096B</c>.</summary>
    /// <exception cref="InputException">The text is none of these, or the budget keeps nothing.</exception>
    public static Budget Parse(string text)
    {
        var t = text.Trim();
        var units = new (string Suffix, double Bytes)[] { ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1) };
        if (int.TryParse(t, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var tokens))
            return Tokens(tokens);
        if (t.EndsWith('%') && Number(t[..^1]) is { } percent)
            return Ratio(percent / 100);
        foreach (var (suffix, bytes) in units)
            if (t.EndsWith(suffix, StringComparison.Ordinal) && Number(t[..^suffix.Length]) is { } number)
                return Bytes((long)(number * bytes));
        throw new InputException($"budget \"{text}\" is not understood; write tokens (64), a share (5%) or bytes (2MiB).");

        static double? Number(string s) =>
            double.TryParse(s, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var x)
                ? x
                : null;
    }

    /// <summary>
    /// Entries that a key/value head keeps, summed over the layers: L·C for a budget in tokens. At most all of them; shares and bytes are rounded
    /// down to a whole entry of all heads of a layer.
    /// </summary>
    /// <param name="promptLength">N.</param>
    /// <param name="config">The model, whose shape prices an entry.</param>
    /// <param name="elementSize">Bytes of one cache element.</param>
    /// <param name="held">Entries that every layer must keep, because they are protected.</param>
    /// <exception cref="InputException">The budget cannot hold that, or not one entry a layer; the message names the smallest that can.</exception>
    public long EntriesFor(long promptLength, DecoderConfig config, int elementSize, long held = 0)
    {
        var price = config.CacheBytesPerToken(elementSize) / config.Layers; // of an entry of all heads of a layer
        var entries = this switch
        {
            InTokens t => (long)t.Count * config.Layers,
            InRatio r => (long)Math.Floor(r.Share * promptLength * config.Layers + 1e-9),
            InBytes b => b.Count / price,
            _ => throw new NotSupportedException(),
        };
        var least = Math.Max(1, held);
        if (entries < least * config.Layers)
            throw new InputException(
                (held > 0 ? $"budget {this} cannot hold the {held} protected tokens" : $"budget {this} keeps nothing")
                    + $" of a prompt of {promptLength}; give at least {Least(least, promptLength, config.Layers * price)}."
            );
        return Math.Min(entries, promptLength * config.Layers);
    }

    // The smallest budget of this kind that holds so many tokens.
    private string Least(long tokens, long promptLength, long bytesPerToken) =>
        this switch
        {
            InRatio => (Math.Ceiling(1e6 * tokens / promptLength) / 1e4).ToString("0.####", CultureInfo.InvariantCulture) + "%",
            InBytes => new InBytes(tokens * bytesPerToken).ToString(),
            _ => tokens.ToString(CultureInfo.InvariantCulture),
        };
}
