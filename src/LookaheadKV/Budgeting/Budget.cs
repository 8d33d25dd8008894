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
        /// <inheritdoc/>
        public override string ToString() => Count.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A share of the prompt, 0 &lt; share ≤ 1, rounded down to whole tokens.</summary>
    public sealed record InRatio(double Share) : Budget
    {
        /// <inheritdoc/>
        public override string ToString() => (Share * 100).ToString("0.####", CultureInfo.InvariantCulture) + "%";
    }

    /// <summary>Bytes for the whole cache, all layers and heads, keys and values, rounded down to whole tokens.</summary>
    public sealed record InBytes(long Count) : Budget
    {
        /// <inheritdoc/>
        public override string ToString() =>
            Count % (1 << 20) == 0 ? $"{Count >> 20}MiB"
            : Count % (1 << 10) == 0 ? $"{Count >> 10}KiB"
            : $"{Count}B";
    }

    /// <summary>A budget of <paramref name="count"/> entries a layer and head.</summary>
    public static Budget Tokens(int count) =>
        count > 0 ? new InTokens(count) : throw new InputException($"budget {count} keeps nothing; give at least 1 token.");

    /// <summary>A budget that is a share of the prompt.</summary>
    public static Budget Ratio(double share) =>
        share is > 0 and <= 1 ? new InRatio(share) : throw new InputException($"budget {share * 100}% is not above 0 and at most 100%.");

    /// <summary>A budget in bytes for the whole cache.</summary>
    public static Budget Bytes(long count) =>
        count > 0
            ? new InBytes(count)
            : throw new InputException($"budget of {count} bytes keeps nothing; give at least the bytes of one token.");

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

    /// <summary>C, the entries to keep a layer and key/value head of a prompt of <paramref name="promptLength"/> tokens; at most all of them.</summary>
    /// <param name="promptLength">N.</param>
    /// <param name="config">The model, whose shape prices a token.</param>
    /// <param name="elementSize">Bytes of one cache element.</param>
    /// <exception cref="InputException">Not even one token can be kept.</exception>
    public int TokensFor(long promptLength, DecoderConfig config, int elementSize)
    {
        var perToken = config.CacheBytesPerToken(elementSize);
        var count = this switch
        {
            InTokens t => t.Count,
            InRatio r => (long)Math.Floor(r.Share * promptLength),
            InBytes b => b.Count / perToken,
            _ => throw new NotSupportedException(),
        };
        if (count < 1)
            throw new InputException(
                $"budget {this} keeps nothing of {promptLength} tokens; one token takes {perToken} bytes: raise the budget."
            );
        return (int)Math.Min(count, promptLength);
    }
}
