using System.Text;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;

namespace LookaheadKV.Lookahead.Texts;

/// <summary>Documents that pieces are drawn from, longer ones more often; a piece is a pure function of its random numbers.</summary>
public sealed class TextCorpus
{
    private const int ShortestDocument = 200;

    // Enough characters for so many tokens of most tokenizers; where it is not, more are read.
    private const int CharactersPerToken = 5;

    private readonly IReadOnlyList<string> _documents;
    private readonly double[] _lengths;

    /// <summary>Takes documents; those below 200 characters are left out.</summary>
    /// <exception cref="InputException">None is left.</exception>
    public TextCorpus(IEnumerable<string> documents)
    {
        _documents = [.. documents.Select(text => text.ReplaceLineEndings("\n").Trim()).Where(text => text.Length >= ShortestDocument)];
        if (_documents.Count == 0)
            throw new InputException($"there is no text of {ShortestDocument} characters or more; give at least one.");
        _lengths = [.. _documents.Select(text => (double)text.Length)];
    }

    /// <summary>Documents there are.</summary>
    public int Count => _documents.Count;

    /// <summary>Characters of all documents.</summary>
    public long Characters => _documents.Sum(text => (long)text.Length);

    /// <summary>Reads the .txt files of a folder (UTF-8), a document each, in the order of their names.</summary>
    /// <exception cref="InputException">The folder cannot be read, or has no text.</exception>
    public static TextCorpus Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException($"{folder}: no such folder; name one with .txt files.");
        try
        {
            string[] files = [.. Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal)];
            return files.Length > 0 ? new TextCorpus(files.Select(File.ReadAllText)) : throw new InputException("it holds no .txt file.");
        }
        catch (InputException e)
        {
            throw new InputException($"{folder}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{folder} cannot be read: {Quoting.OneLine(e.Message)}", e);
        }
    }

    /// <summary>Exactly so many tokens of a document, from a paragraph's start on; where it ends first, another one follows.</summary>
    /// <param name="random">Says which.</param>
    /// <param name="tokens">How many, 1 or more.</param>
    /// <param name="unwrap">Whether line breaks within paragraphs become spaces.</param>
    /// <param name="encode">The tokenizer's encoding; it must not recognise control tokens.</param>
    internal int[] Piece(RandomStream random, int tokens, bool unwrap, Func<string, int[]> encode)
    {
        var text = new StringBuilder();
        var document = _documents[random.PickWeighted(_lengths)];
        var at = ParagraphStart(document, random.Below(document.Length));
        for (var wanted = tokens * CharactersPerToken; ; wanted += tokens * CharactersPerToken)
        {
            while (text.Length < wanted)
            {
                if (at == document.Length)
                {
                    text.Append("\n\n");
                    (document, at) = (_documents[random.PickWeighted(_lengths)], 0);
                }
                var count = Math.Min(Math.Max(1, wanted - text.Length), document.Length - at);
                if (char.IsHighSurrogate(document[at + count - 1]) && at + count < document.Length)
                    count++;
                text.Append(document, at, count);
                at += count;
            }
            var ids = encode(unwrap ? Unwrap(text.ToString()) : text.ToString());
            // The last token may be that of half a word.
            if (ids.Length > tokens)
                return ids[..tokens];
        }
    }

    /// <summary>A text whose single line breaks between two letters of a paragraph are spaces; indented lines, lists and tables keep theirs.</summary>
    internal static string Unwrap(string text)
    {
        var result = new StringBuilder(text);
        for (var i = 1; i < text.Length - 1; i++)
            if (text[i] == '\n' && !char.IsWhiteSpace(text[i - 1]) && char.IsLetter(text[i + 1]))
                result[i] = ' ';
        return result.ToString();
    }

    // The next one, or, where there is none that leaves anything, the document's.
    private static int ParagraphStart(string document, int from)
    {
        var gap = document.IndexOf("\n\n", from, StringComparison.Ordinal);
        if (gap < 0)
            return 0;
        while (gap < document.Length && document[gap] == '\n')
            gap++;
        return gap < document.Length ? gap : 0;
    }
}
