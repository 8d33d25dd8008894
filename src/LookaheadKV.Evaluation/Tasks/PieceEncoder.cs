using System.Collections.Concurrent;

namespace LookaheadKV.Evaluation.Tasks;

/// <summary>
/// Encodes this world's text by looking up each word once. A byte-level BPE tokenizer never merges across the pieces of its split
/// pattern, so the tokens of a text are the tokens of its pieces in a row; the world has a few hundred pieces, and after a moment every
/// one of them is a dictionary look-up. Safe to share between threads.
/// </summary>
/// <remarks>
/// Texts are ASCII with single spaces. The pieces are those of the split pattern that Llama 3 made common: letters with the one character before
/// them unless it is a digit or a line break (<c>" word"</c>, <c>"'s"</c>), single digits, punctuation with the line breaks after it (<c>".\n"</c>), a space
/// before a digit alone; and the special tokens.
/// </remarks>
public sealed class PieceEncoder
{
    private readonly Func<string, int[]> _encode;
    private readonly ConcurrentDictionary<string, int[]> _pieces = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <summary>Wraps a tokenizer.</summary>
    /// <param name="encode">The tokenizer's encoding of a string, special tokens in it recognised, none added.</param>
    public PieceEncoder(Func<string, int[]> encode)
    {
        _encode = encode;
        _lookup = _pieces.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The tokens of a text.</summary>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 4);
        Append(text, ids);
        return [.. ids];
    }

    /// <summary>Adds the tokens of a text to a list.</summary>
    public void Append(string text, List<int> ids)
    {
        foreach (var range in new Pieces(text))
            ids.AddRange(Ids(text.AsSpan(range)));
    }

    /// <summary>How many tokens a text has.</summary>
    public int Count(string text)
    {
        var count = 0;
        foreach (var range in new Pieces(text))
            count += Ids(text.AsSpan(range)).Length;
        return count;
    }

    /// <summary>The pieces of a text, which joined give the text.</summary>
    internal static IEnumerable<string> Split(string text)
    {
        var pieces = new List<string>();
        foreach (var range in new Pieces(text))
            pieces.Add(text[range]);
        return pieces;
    }

    private int[] Ids(ReadOnlySpan<char> piece)
    {
        if (_lookup.TryGetValue(piece, out var ids))
            return ids;
        var text = piece.ToString();
        return _pieces.GetOrAdd(text, _encode);
    }

    /// <summary>Walks over the pieces of a text.</summary>
    private ref struct Pieces(string text)
    {
        private int _start;
        private int _end;

        public readonly Range Current => _start.._end;

        public readonly Pieces GetEnumerator() => this;

        public bool MoveNext()
        {
            _start = _end;
            if (_start == text.Length)
                return false;
            _end = End(text, _start);
            return true;
        }

        private static int End(string text, int start)
        {
            var first = text[start];
            if (first == '<' && text.AsSpan(start).StartsWith("<|"))
                return text.IndexOf("|>", start, StringComparison.Ordinal) + 2;
            if (char.IsAsciiDigit(first))
                return start + 1;
            if (first is '\n')
                return While(text, start, static c => c is '\n');
            if (char.IsAsciiLetter(first) || char.IsAsciiLetter(At(text, start + 1)))
                return While(text, start + 1, char.IsAsciiLetter);
            var marks = While(text, first is ' ' ? start + 1 : start, IsMark);
            return marks > start + (first is ' ' ? 1 : 0) ? While(text, marks, static c => c is '\n') : start + 1;
        }

        private static char At(string text, int index) => index < text.Length ? text[index] : '\n';

        private static bool IsMark(char c) => c is not (' ' or '\n' or '<') && !char.IsAsciiLetterOrDigit(c);

        private static int While(string text, int from, Func<char, bool> holds)
        {
            while (from < text.Length && holds(text[from]))
                from++;
            return from;
        }
    }
}
