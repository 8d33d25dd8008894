using System.Text.RegularExpressions;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// Answers without what does not matter, as SQuAD compares them (Rajpurkar et al., 2016): lower case, no ASCII punctuation, no articles, single
/// spaces.
/// </summary>
public static partial class AnswerText
{
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    /// <summary>The normalised text. Punctuation goes before articles: "a.n" becomes the article "an", and goes too.</summary>
    public static string Normalize(string text) => string.Join(' ', Words(text));

    /// <summary>The words of the normalised text.</summary>
    public static string[] Words(string text)
    {
        var bare = string.Concat(text.ToLowerInvariant().Where(static letter => !Punctuation.Contains(letter)));
        return Article().Replace(bare, " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
    }

    [GeneratedRegex(@"\b(a|an|the)\b")]
    private static partial Regex Article();
}
