using System.Buffers;
using System.Text;

namespace LookaheadKV.Text;

/// <summary>A stretch of a text: an added token, or what stands between two of them.</summary>
internal readonly record struct Stretch(int Start, int End, AddedToken? Token);

/// <summary>Finds added tokens in a text: the leftmost one, and of those that start there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> byContent;
    private readonly int[] lengths; // of contents, longest first
    private readonly SearchValues<string> contents;

    /// <summary>Looks for tokens by their content, or by what <paramref name="spelling"/> makes of it.</summary>
    public AddedTokenFinder(IEnumerable<AddedToken> tokens, Func<string, string>? spelling = null)
    {
        var known = new Dictionary<string, AddedToken>();
        foreach (var token in tokens)
            known.TryAdd(spelling is null ? token.Content : spelling(token.Content), token);
        byContent = known.GetAlternateLookup<ReadOnlySpan<char>>();
        lengths = [.. known.Keys.Select(content => content.Length).Distinct().OrderDescending()];
        contents = SearchValues.Create([.. known.Keys], StringComparison.Ordinal);
    }

    /// <summary>The text from its start to its end in stretches, none of them empty.</summary>
    public List<Stretch> Cut(ReadOnlySpan<char> text)
    {
        var stretches = new List<Stretch>(1);
        var done = 0; // everything before is in a stretch
        for (var at = 0; Find(text, at, out var start, out var end) is { } token; at = end)
        {
            if (token.SingleWord && (TouchesWord(text[..start], fromEnd: true) || TouchesWord(text[end..], fromEnd: false)))
                continue;
            var from = token.LeftStrip ? Math.Max(text[..start].TrimEnd().Length, done) : Math.Max(start, done);
            var to = token.RightStrip ? text.Length - text[end..].TrimStart().Length : end;
            if (done < from)
                stretches.Add(new Stretch(done, from, null));
            stretches.Add(new Stretch(from, to, token));
            done = to;
        }

        if (done < text.Length)
            stretches.Add(new Stretch(done, text.Length, null));
        return stretches;
    }

    private AddedToken? Find(ReadOnlySpan<char> text, int at, out int start, out int end)
    {
        (start, end) = (0, 0);
        var found = lengths.Length == 0 ? -1 : text[at..].IndexOfAny(contents);
        if (found < 0)
            return null;
        start = at + found;
        foreach (var length in lengths)
        {
            end = start + length;
            if (end <= text.Length && byContent.TryGetValue(text[start..end], out var token))
                return token;
        }

        return null;
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, bool fromEnd)
    {
        Rune rune;
        if (fromEnd)
            Rune.DecodeLastFromUtf16(text, out rune, out _);
        else
            Rune.DecodeFromUtf16(text, out rune, out _);
        return !text.IsEmpty && IsWord(rune);
    }

    // Joiners count among word characters here, though a split pattern's \w leaves them out.
    private static bool IsWord(Rune rune) => rune.Value is 0x200C or 0x200D || CodePoints.IsWord(rune.Value);
}
