using System.Globalization;
using System.Text;

namespace LookaheadKV.Text;

/// <summary>A change of text before it is cut: one of tokenizer.json's normalizers.</summary>
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

    /// <summary>One text put in the place of all that a regular expression matches.</summary>
    internal sealed record ReplaceMatches(string Pattern, string New, string Source) : TextChange
    {
        private readonly SplitPattern matcher = SplitPattern.Of(Pattern, Source);

        public override string Apply(string text)
        {
            var changed = new StringBuilder();
            var done = 0;
            foreach (var match in matcher.Matches(text))
            {
                changed.Append(text, done, match.Start.Value - done).Append(New);
                done = match.End.Value;
            }

            return changed.Append(text, done, text.Length - done).ToString();
        }
    }

    /// <summary>Small letters, character by character.</summary>
    internal sealed record Lowercase : TextChange
    {
        public override string Apply(string text) =>
            // The one character whose small letter is two, which .NET leaves alone.
            text.ToLowerInvariant().Replace("\u0130", "i\u0307", StringComparison.Ordinal);
    }

    /// <summary>Without accents, where they are characters of their own.</summary>
    internal sealed record StripAccents : TextChange
    {
        public override string Apply(string text) =>
            string.Concat(text.EnumerateRunes().Where(rune => Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark));
    }

    /// <summary>Without white space at an end.</summary>
    internal sealed record Strip(bool Left, bool Right) : TextChange
    {
        public override string Apply(string text)
        {
            var rest = Left ? text.TrimStart() : text;
            return Right ? rest.TrimEnd() : rest;
        }
    }

    /// <summary>The text's bytes, each spelled as a character.</summary>
    internal sealed record SpellBytes : TextChange
    {
        public override string Apply(string text) => ByteLevel.Spell(text);
    }
}
