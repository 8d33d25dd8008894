using System.Text;
using LookaheadKV.Text;

namespace LookaheadKV.Training.Texts;

/// <summary>Documents that prompts are made of.</summary>
public sealed class TextCorpus
{
    private const int ShortestDocument = 200;

    /// <summary>Takes documents; those below 200 characters are left out.</summary>
    /// <exception cref="InputException">None is left.</exception>
    public TextCorpus(IEnumerable<string> documents)
    {
        Documents = [.. documents.Select(text => text.ReplaceLineEndings("\n").Trim()).Where(text => text.Length >= ShortestDocument)];
        if (Documents.Count == 0)
            throw new InputException($"there is no text of {ShortestDocument} characters or more; give at least one.");
    }

    /// <summary>The documents, line ends as line feeds.</summary>
    public IReadOnlyList<string> Documents { get; }

    /// <summary>Characters of all documents.</summary>
    public long Characters => Documents.Sum(text => (long)text.Length);

    /// <summary>Reads the .txt files of a folder (UTF-8), a document each, in the order of their names.</summary>
    /// <exception cref="InputException">The folder cannot be read, or has no text.</exception>
    public static TextCorpus Read(string folder)
    {
        var texts = TextFolder.Read(folder);
        try
        {
            return new TextCorpus(texts);
        }
        catch (InputException e)
        {
            throw new InputException($"{folder}: {e.Message}", e);
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
}
