using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LookaheadKV.Text;

/// <summary>
/// Cuts a text into pre-tokens by a regular expression that sees code points, as the patterns of tokenizer.json are meant.
/// .NET's Regex sees UTF-16 units, so a character beyond U+FFFF would be two strangers to every class. Such a text is matched through a
/// stand-in in which each of these characters is one ordinary character of the same Unicode category, the only thing the patterns ask of it.
/// </summary>
internal sealed class PretokenPattern
{
    private static readonly Dictionary<UnicodeCategory, char> StandIns = Enumerable
        .Range(0x100, 0xFFFF - 0x100)
        .Select(unit => (char)unit)
        .GroupBy(CharUnicodeInfo.GetUnicodeCategory)
        .ToDictionary(category => category.Key, category => category.First());

    private readonly Regex regex;

    /// <summary>Compiles a pattern; <paramref name="source"/> names where it came from in the error for one that .NET does not accept.</summary>
    public PretokenPattern(string pattern, string source)
    {
        try
        {
            regex = new Regex(WithLongS(pattern), RegexOptions.Compiled | RegexOptions.CultureInvariant);
        }
        catch (ArgumentException error)
        {
            throw new InputException(
                $"{source}: the split pattern {Quoting.Quote(pattern)} is not a regular expression that .NET can run "
                    + $"({Quoting.OneLine(error.Message)}); use a tokenizer whose pattern needs only character classes and quantifiers.",
                error
            );
        }
    }

    /// <summary>
    /// Adds the end of every piece of <paramref name="text"/> to <paramref name="ends"/>. The pieces follow one another without gaps: what
    /// the pattern matches, and what it leaves between matches. The text holds no lone surrogate.
    /// </summary>
    public void Split(ReadOnlySpan<char> text, List<int> ends)
    {
        if (text.ContainsAnyInRange('\uD800', '\uDFFF'))
            SplitCodePoints(text, ends);
        else
            SplitUnits(text, ends);
    }

    /// <summary>Cuts each of the pieces that end at <paramref name="ends"/> by itself and returns where the smaller ones end.</summary>
    public List<int> Refine(ReadOnlySpan<char> text, List<int> ends)
    {
        var refined = new List<int>(Math.Max(ends.Count, text.Length / 4 + 4));
        var start = 0;
        foreach (var end in ends)
        {
            var first = refined.Count;
            Split(text[start..end], refined);
            for (var i = first; i < refined.Count; i++)
                refined[i] += start;
            start = end;
        }

        return refined;
    }

    // Where case is ignored, Unicode's folding makes the long s (U+017F) an s; .NET's does not.
    private static string WithLongS(string pattern) =>
        Regex.Replace(pattern, @"\(\?i:[^()\[\]\\]*\)", group => group.Value.Replace("s", "[s\u017f]"));

    private void SplitUnits(ReadOnlySpan<char> text, List<int> ends)
    {
        var end = 0;
        foreach (var match in regex.EnumerateMatches(text))
        {
            if (match.Index > end)
                ends.Add(match.Index);
            end = match.Index + match.Length;
            if (match.Length > 0)
                ends.Add(end);
        }

        if (end < text.Length)
            ends.Add(text.Length);
    }

    private void SplitCodePoints(ReadOnlySpan<char> text, List<int> ends)
    {
        var standIn = new char[text.Length];
        var unitEnds = new int[text.Length]; // where the code point behind each stand-in character ends in the text
        var (count, unit) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            unit += rune.Utf16SequenceLength;
            standIn[count] = rune.IsBmp ? (char)rune.Value : StandIns[Rune.GetUnicodeCategory(rune)];
            unitEnds[count++] = unit;
        }

        var first = ends.Count;
        SplitUnits(standIn.AsSpan(0, count), ends);
        for (var i = first; i < ends.Count; i++)
            ends[i] = unitEnds[ends[i] - 1];
    }
}
