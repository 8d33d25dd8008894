using System.Globalization;
using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>Upper, lower and title case as Python has them: by Unicode's full mappings, where .NET has the simple ones.</summary>
internal static class Cases
{
    public static string Upper(string text) => Mapped(text, CaseTable.Upper, Rune.ToUpperInvariant);

    public static string Lower(string text) => string.Concat(Parts(text).Select(part => LowerAt(text, part)));

    /// <summary>The first code point in title case, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        var first = CodePoints.Offset(text, 1);
        return Titled(text[..first]) + Lower(text)[Lower(text[..first]).Length..];
    }

    /// <summary>Each run of letters with case: its first in title case, the others in lower case.</summary>
    public static string Title(string text)
    {
        var (written, inWord) = (new StringBuilder(), false);
        foreach (var part in Parts(text))
        {
            written.Append(inWord ? LowerAt(text, part) : Titled(part.Text));
            inWord = IsCased(part.Text);
        }
        return written.ToString();
    }

    public static string Swap(string text) =>
        string.Concat(
            Parts(text)
                .Select(part =>
                    IsUpperPoint(part.Text) ? LowerAt(text, part)
                    : IsLowerPoint(part.Text) ? Upper(part.Text)
                    : part.Text
                )
        );

    /// <summary>Whether there are cased letters and all of them are upper case.</summary>
    public static bool IsUpper(string text) =>
        CodePoints.Of(text).Any(IsUpperPoint) && !CodePoints.Of(text).Any(static point => IsLowerPoint(point) || IsTitlePoint(point));

    /// <summary>Whether there are cased letters and all of them are lower case.</summary>
    public static bool IsLower(string text) =>
        CodePoints.Of(text).Any(IsLowerPoint) && !CodePoints.Of(text).Any(static point => IsUpperPoint(point) || IsTitlePoint(point));

    /// <summary>Whether upper case follows only what has no case, and lower case only what has.</summary>
    public static bool IsTitle(string text)
    {
        var (any, inWord) = (false, false);
        foreach (var point in CodePoints.Of(text))
        {
            if (IsUpperPoint(point) || IsTitlePoint(point))
            {
                if (inWord)
                    return false;
                any = inWord = true;
            }
            else if (IsLowerPoint(point))
            {
                if (!inWord)
                    return false;
            }
            else
                inWord = false;
        }
        return any;
    }

    private static IEnumerable<(string Text, int At)> Parts(string text)
    {
        var at = 0;
        foreach (var point in CodePoints.Of(text))
        {
            yield return (point, at);
            at += point.Length;
        }
    }

    private static string Mapped(string text, IReadOnlyDictionary<string, string> special, Func<Rune, Rune> simple) =>
        string.Concat(CodePoints.Of(text).Select(point => MappedPoint(point, special, simple)));

    private static string MappedPoint(string point, IReadOnlyDictionary<string, string> special, Func<Rune, Rune> simple) =>
        special.TryGetValue(point, out var mapped) ? mapped
        : point != "" && Rune.TryGetRuneAt(point, 0, out var rune) ? simple(rune).ToString()
        : point;

    private static string Titled(string point) => MappedPoint(point, CaseTable.Title, static rune => Rune.ToUpperInvariant(rune));

    // A sigma that ends a word is another letter.
    private static string LowerAt(string text, (string Text, int At) part) =>
        part.Text == "Σ"
            ? IsFinal(text, part.At)
                ? "ς"
                : "σ"
            : MappedPoint(part.Text, CaseTable.Lower, Rune.ToLowerInvariant);

    private static bool IsFinal(string text, int at)
    {
        var before = CodePoints.Of(text[..at]).LastOrDefault(static point => !IsIgnorable(point));
        var behind = CodePoints.Of(text[(at + 1)..]).FirstOrDefault(static point => !IsIgnorable(point));
        return before is not null && IsCased(before) && (behind is null || !IsCased(behind));
    }

    private static bool IsCased(string point) => IsUpperPoint(point) || IsLowerPoint(point) || IsTitlePoint(point);

    private static bool IsUpperPoint(string point) =>
        CharUnicodeInfo.GetUnicodeCategory(point, 0) == UnicodeCategory.UppercaseLetter
        || CodePoints.At(point, 0)
            is (>= 0x2160 and <= 0x216F)
                or (>= 0x24B6 and <= 0x24CF)
                or (>= 0x1F130 and <= 0x1F149)
                or (>= 0x1F150 and <= 0x1F169)
                or (>= 0x1F170 and <= 0x1F189);

    private static bool IsLowerPoint(string point) =>
        CharUnicodeInfo.GetUnicodeCategory(point, 0) == UnicodeCategory.LowercaseLetter || CaseTable.OtherLower.Contains(point);

    private static bool IsTitlePoint(string point) => CharUnicodeInfo.GetUnicodeCategory(point, 0) == UnicodeCategory.TitlecaseLetter;

    private static bool IsIgnorable(string point) =>
        CharUnicodeInfo.GetUnicodeCategory(point, 0)
            is UnicodeCategory.NonSpacingMark
                or UnicodeCategory.EnclosingMark
                or UnicodeCategory.Format
                or UnicodeCategory.ModifierLetter
                or UnicodeCategory.ModifierSymbol
        || point
            is "'"
                or "."
                or ":"
                or "\u00B7"
                or "\u0387"
                or "\u055F"
                or "\u05F4"
                or "\u2018"
                or "\u2019"
                or "\u2024"
                or "\u2027"
                or "\uFE13"
                or "\uFE52"
                or "\uFE55"
                or "\uFF07"
                or "\uFF0E"
                or "\uFF1A";
}
