using System.Text.RegularExpressions;

namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The world that the shipped model has read of, as far as its words go: no text of another one means anything to it.</summary>
public static partial class SyntheticWorld
{
    // So many characters of all tasks use every word of the templates many times.
    private const int Characters = 100_000;

    private static readonly Lazy<HashSet<string>> Known = new(() =>
        Corpus.Text(seed: 0, Characters).SelectMany(Words).ToHashSet(StringComparer.OrdinalIgnoreCase)
    );

    /// <summary>Words of a text that no text of this world has, each once, in their order.</summary>
    public static IReadOnlyList<string> UnknownWords(string text) =>
        [.. Words(text).Where(word => !Known.Value.Contains(word)).Distinct(StringComparer.OrdinalIgnoreCase)];

    // Tokens between bars, such as <|begin|>, are no words.
    private static IEnumerable<string> Words(string text) => Word().Matches(Control().Replace(text, " ")).Select(match => match.Value);

    [GeneratedRegex(@"\p{L}+")]
    private static partial Regex Word();

    [GeneratedRegex(@"<\|[^|]*\|>")]
    private static partial Regex Control();
}
