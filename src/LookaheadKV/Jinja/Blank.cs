namespace LookaheadKV.Jinja;

/// <summary>What counts as white space and as a line break; Python's answer, which for four control characters is not .NET's.</summary>
internal static class Blank
{
    public static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\u001C' and <= '\u001F';

    public static bool IsBlank(ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            if (!IsSpace(character))
                return false;
        }
        return true;
    }

    public static string Strip(string text) => StripStart(StripEnd(text));

    public static string StripStart(string text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    public static string StripEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>The words between white space, from the left: at most <paramref name="count"/> cuts, the rest as it is; below 0: all.</summary>
    public static List<string> Words(string text, int count)
    {
        var words = new List<string>();
        for (var at = 0; ; )
        {
            while (at < text.Length && IsSpace(text[at]))
                at++;
            if (at == text.Length)
                return words;
            if (count >= 0 && words.Count >= count)
            {
                words.Add(text[at..]);
                return words;
            }
            var start = at;
            while (at < text.Length && !IsSpace(text[at]))
                at++;
            words.Add(text[start..at]);
        }
    }

    /// <summary>The same from the right.</summary>
    public static List<string> WordsFromEnd(string text, int count)
    {
        var words = new List<string>();
        for (var end = text.Length; ; )
        {
            while (end > 0 && IsSpace(text[end - 1]))
                end--;
            if (end == 0)
                break;
            if (count >= 0 && words.Count >= count)
            {
                words.Add(text[..end]);
                break;
            }
            var start = end;
            while (start > 0 && !IsSpace(text[start - 1]))
                start--;
            words.Add(text[start..end]);
            end = start;
        }
        words.Reverse();
        return words;
    }

    /// <summary>Python's <c>splitlines</c>.</summary>
    public static List<string> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (var at = 0; at < text.Length; )
        {
            var start = at;
            while (at < text.Length && !IsLineBreak(text[at]))
                at++;
            var end = at;
            if (at < text.Length)
                at += text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n' ? 2 : 1;
            lines.Add(text[start..(keepEnds ? at : end)]);
        }
        return lines;
    }

    private static bool IsLineBreak(char character) =>
        character is (>= '\n' and <= '\r') or (>= '\u001C' and <= '\u001E') or '\u0085' or '\u2028' or '\u2029';
}
