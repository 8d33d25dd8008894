using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>Strings counted in code points, as Python counts them, where .NET counts UTF-16 units.</summary>
internal static class CodePoints
{
    public static int Count(string text)
    {
        var pairs = 0;
        for (var i = 1; i < text.Length; i++)
        {
            if (char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1]))
                pairs++;
        }
        return text.Length - pairs;
    }

    /// <summary>Each code point as a string of its own.</summary>
    public static IEnumerable<string> Of(string text)
    {
        for (var at = 0; at < text.Length; )
        {
            var length = LengthAt(text, at);
            yield return text.Substring(at, length);
            at += length;
        }
    }

    /// <summary>The place in UTF-16 units of the code point with this number, at most the text's length.</summary>
    public static int Offset(string text, int number)
    {
        var at = 0;
        for (; number > 0 && at < text.Length; number--)
            at += LengthAt(text, at);
        return at;
    }

    /// <summary>How many code points stand before a place in UTF-16 units.</summary>
    public static int Number(string text, int offset) => Count(text[..offset]);

    /// <summary>Below 0, 0 or above 0 by the first code points that differ; UTF-16 units would put emoji before some rarer characters.</summary>
    public static int Compare(string left, string right)
    {
        var length = Math.Min(left.Length, right.Length);
        for (var i = 0; i < length; i++)
        {
            if (left[i] != right[i])
                return char.IsSurrogate(left[i]) == char.IsSurrogate(right[i]) ? left[i].CompareTo(right[i])
                    : char.IsSurrogate(left[i]) ? 1
                    : -1;
        }
        return left.Length.CompareTo(right.Length);
    }

    /// <summary>The code point at a place; a lone surrogate is itself.</summary>
    public static int At(string text, int at) => LengthAt(text, at) == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];

    /// <summary>The text as runes; U+FFFD for lone surrogates.</summary>
    public static IEnumerable<Rune> Runes(string text) => text.EnumerateRunes();

    private static int LengthAt(string text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;
}
