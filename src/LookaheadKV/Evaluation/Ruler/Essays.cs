using System.Text.RegularExpressions;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>
/// Real prose as a haystack, sentence by sentence, as RULER takes its essays: all texts of a folder behind one another, in the order of their
/// names, white space folded. Each sample begins at a sentence of its own and goes on behind the last text with the first.
/// </summary>
public sealed partial class Essays
{
    private const string Pattern = "*.txt";

    private Essays(IReadOnlyList<string> sentences) => Sentences = sentences;

    /// <summary>The sentences, in order, at least one; none holds a line break.</summary>
    public IReadOnlyList<string> Sentences { get; }

    /// <summary>Reads all <c>.txt</c> files of a folder, UTF-8.</summary>
    /// <exception cref="InputException">There is no such folder, it has no such files, one cannot be read, or they are empty.</exception>
    public static Essays Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException($"{folder}: no such folder; give one with essays in it, {Pattern}.");
        string[] files = [.. Directory.EnumerateFiles(folder, Pattern).Order(StringComparer.Ordinal)];
        if (files.Length == 0)
            throw new InputException($"{folder} holds no {Pattern}; give a folder with essays as plain text.");
        string[] sentences = [.. files.SelectMany(file => Cut(Text(file)))];
        return sentences.Length > 0
            ? new Essays(sentences)
            : throw new InputException($"the {Pattern} of {folder} are empty; give a folder with essays as plain text.");
    }

    /// <summary>The sentences of a text: each ends at a full stop, a question or an exclamation mark that white space follows.</summary>
    public static IReadOnlyList<string> Cut(string text) =>
        [.. SentenceEnd().Split(Space().Replace(text, " ").Trim()).Where(static sentence => sentence.Length > 0)];

    private static string Text(string file)
    {
        try
        {
            return File.ReadAllText(file, new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (System.Text.DecoderFallbackException error)
        {
            throw new InputException($"{file} is not UTF-8 (byte {error.Index}); save it as UTF-8.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{file} cannot be read: {error.Message}", error);
        }
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    // A closing quote or bracket belongs to the sentence that it ends.
    [GeneratedRegex("""(?<=[.!?]["'”’)\]]*) """)]
    private static partial Regex SentenceEnd();
}
