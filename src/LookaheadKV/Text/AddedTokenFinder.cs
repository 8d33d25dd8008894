using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace LookaheadKV.Text;

/// <summary>Finds added tokens in a text: the leftmost one, and of those that start there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly AddedToken[] longestFirst;
    private readonly SearchValues<string> contents;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        longestFirst = [.. tokens.OrderByDescending(token => token.Content.Length)];
        contents = SearchValues.Create([.. longestFirst.Select(token => token.Content)], StringComparison.Ordinal);
    }

    /// <summary>The first added token of the text and where it starts, or false if there is none.</summary>
    public bool Find(ReadOnlySpan<char> text, out int start, [NotNullWhen(true)] out AddedToken? token)
    {
        token = null;
        start = longestFirst.Length == 0 ? -1 : text.IndexOfAny(contents);
        if (start < 0)
            return false;

        var rest = text[start..];
        foreach (var candidate in longestFirst)
        {
            if (!rest.StartsWith(candidate.Content, StringComparison.Ordinal))
                continue;
            token = candidate;
            return true;
        }

        return false;
    }
}
