using System.Text;

namespace LookaheadKV.Text;

/// <summary>What a tokenizer does to text besides merging: before (normalizing, cutting), at the symbols, and behind (decoding).</summary>
internal sealed record TextRules
{
    /// <summary>Applied in turn to each stretch of text between added tokens.</summary>
    public IReadOnlyList<TextChange> Normalizers { get; init; } = [];

    /// <summary>Applied to each stretch between added tokens that is left after normalizing; null for nothing.</summary>
    public TextPrefix? Prefix { get; init; }

    /// <summary>Regular expressions that cut pre-tokens, each one the pieces of the one before.</summary>
    public IReadOnlyList<string> Patterns { get; init; } = [];

    /// <summary>Whether the first symbols are bytes, spelled as in GPT-2 (true), or characters (false).</summary>
    public bool OverBytes { get; init; } = true;

    /// <summary>Whether a pre-token that is a vocabulary entry is taken whole, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Whether a character without a token becomes its UTF-8 bytes, the tokens &lt;0x00&gt; to &lt;0xFF&gt;.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The token of a character that has none, and no bytes either; null where that cannot be.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether unknown characters in a row are one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>
    /// Whether all merges that make the same token have the same priority, so that the leftmost goes first, as in SentencePiece; otherwise
    /// each merge has its own, as in tokenizer.json.
    /// </summary>
    public bool RankByToken { get; init; }

    /// <summary>How tokens of characters become text again; null for bytes.</summary>
    public PieceDecoding? Decoding { get; init; }

    /// <summary>How the vocabulary writes the 256 single bytes, in their order; empty where it has none.</summary>
    public IReadOnlyList<string> ByteSpellings =>
        OverBytes ? [.. Enumerable.Range(0, 256).Select(value => ByteLevel.Spell((byte)value))]
        : ByteFallback ? ByteTokens.All
        : [];

    /// <summary>A stretch of text, normalized.</summary>
    public string Normalize(string text) => Normalizers.Aggregate(text, (changed, step) => step.Apply(changed));
}

/// <summary>A change of text before it is cut.</summary>
internal abstract record TextChange
{
    public abstract string Apply(string text);

    /// <summary>Unicode's composed or decomposed forms.</summary>
    internal sealed record Form(NormalizationForm To) : TextChange
    {
        public override string Apply(string text) => Ascii.IsValid(text) ? text : text.Normalize(To);
    }

    /// <summary>Something put before every text that is not empty.</summary>
    internal sealed record Prepend(string Text) : TextChange
    {
        public override string Apply(string text) => text.Length == 0 ? text : Text + text;
    }

    /// <summary>One text put in the place of another.</summary>
    internal sealed record Replace(string Old, string New) : TextChange
    {
        public override string Apply(string text) => text.Replace(Old, New, StringComparison.Ordinal);
    }
}

/// <summary>The space that a tokenizer puts before a text so that its first word is like the others.</summary>
internal abstract record TextPrefix
{
    /// <param name="text">A stretch, not empty.</param>
    /// <param name="atStart">Whether it is where the whole text starts.</param>
    public abstract string Apply(string text, bool atStart);

    /// <summary>A space before whatever does not start with one.</summary>
    internal sealed record Space : TextPrefix
    {
        public override string Apply(string text, bool atStart) => text.StartsWith(' ') ? text : " " + text;
    }

    /// <summary>Spaces become a visible mark, and one is put before what does not start with one: always, at the start only, or never.</summary>
    internal sealed record Metaspace(string Mark, PrefixScheme Scheme) : TextPrefix
    {
        public override string Apply(string text, bool atStart)
        {
            var marked = text.Replace(" ", Mark, StringComparison.Ordinal);
            var wanted = Scheme == PrefixScheme.Always || (Scheme == PrefixScheme.First && atStart);
            return wanted && !marked.StartsWith(Mark, StringComparison.Ordinal) ? Mark + marked : marked;
        }
    }
}

/// <summary>Where a space is put before a text.</summary>
internal enum PrefixScheme
{
    /// <summary>Before every stretch between added tokens.</summary>
    Always,

    /// <summary>Only where the whole text starts.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>How tokens of characters become text: marks to spaces, byte tokens to characters, and the first space away.</summary>
/// <param name="Mark">What stands for a space in tokens.</param>
/// <param name="ByteTokens">Whether &lt;0x0A&gt; and its kind are bytes.</param>
/// <param name="StripFirst">How many spaces are taken from the start of the text.</param>
/// <param name="FirstTokenLosesMarks">Whether the first token loses its marks instead of having spaces in their place.</param>
internal sealed record PieceDecoding(string Mark, bool ByteTokens, int StripFirst, bool FirstTokenLosesMarks = false);
