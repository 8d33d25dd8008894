using System.Text.RegularExpressions;
using LookaheadKV.Text;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>
/// Real prose as a haystack, sentence by sentence, as RULER takes its essays: all texts of a folder behind one another, in the order of their
/// names, white space folded. Each sample begins at a sentence of its own and goes on behind the last text with the first.
/// </summary>
public sealed partial class Essays
{
    private Essays(IReadOnlyList<string> sentences) => Sentences = sentences;

    /// <summary>The sentences, in order, at least one; none holds a line break.</summary>
    public IReadOnlyList<string> Sentences { get; }

    /// <summary>Reads all <c>.txt</c> files of a folder, UTF-8.</summary>
    /// <exception cref="InputException">There is no such folder, it has no such files, one cannot be read, or they are empty.</exception>
    public static Essays Read(string folder)
    {
        string[] sentences = [.. TextFolder.Read(folder).SelectMany(Cut)];
        return sentences.Length > 0
            ? new Essays(sentences)
            : throw new InputException($"the texts of {folder} are empty; give a folder with essays as plain text.");
    }

    /// <summary>The sentences of a text: each ends at a full stop, a question or an exclamation mark that white space follows.</summary>
    public static IReadOnlyList<string> Cut(string text) =>
        [.. SentenceEnd().Split(Space().Replace(text, " ").Trim()).Where(static sentence => sentence.Length > 0)];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    // A closing quote or bracket belongs to the sentence that it ends.
    [GeneratedRegex("""(?<=[.!?]["'”’)\]]*) """)]
    private static partial Regex SentenceEnd();
}
