using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>Common words: a numbered list in which ten words occur often and many others a few times; asked are the ten.</summary>
internal static class CommonWordsTask
{
    private const int Common = 10;

    // Uncommon words of the worked example that comes first.
    private const int ExampleUncommon = 10;

    private const string Question = "\nQuestion: Which 10 words occur most often in the list above?";

    private const string Prefix = " Answer: The 10 words that occur most often in the list are:";

    /// <summary>RULER's counts where they fit: common words 30 times among words 3 times; else, in short prompts, 6 times and once.</summary>
    public static RulerDraft Draft(RandomStream random, int length, Func<string, int> count)
    {
        var words = RulerWords.Shuffled(random);
        var full = Draft(words, random, new Counts(30, 3), new Counts(10, 3));
        return full.Fits(length, count) ? full : Draft(words, random, new Counts(6, 1), new Counts(3, 1));
    }

    private static RulerDraft Draft(string[] words, RandomStream random, Counts counts, Counts exampleCounts)
    {
        var (common, example, rest) = (
            words[..Common],
            words[Common..(2 * Common + ExampleUncommon)],
            words[(2 * Common + ExampleUncommon)..]
        );
        var answer = string.Join(' ', example.Take(Common).Select(static (word, i) => $"{i + 1}. {word}"));
        var solved = $"{List(example[..Common], example[Common..], exampleCounts, random.Copy())}{Question}{Prefix} {answer}";
        return new(
            Least: 1,
            Most: rest.Length,
            units => $"{solved}\n\n{List(common, rest[..units], counts, random.Copy())}",
            Question,
            Prefix,
            common,
            StringMatch.All,
            MaxNewTokens: 120
        );
    }

    private static string List(string[] common, string[] uncommon, Counts counts, RandomStream random)
    {
        string[] list =
        [
            .. common.SelectMany(word => Enumerable.Repeat(word, counts.Common)),
            .. uncommon.SelectMany(word => Enumerable.Repeat(word, counts.Uncommon)),
        ];
        random.Shuffle(list.AsSpan());
        var numbered = string.Join(' ', list.Select(static (word, i) => $"{i + 1}. {word}"));
        return "Some words of the numbered list below occur more often than others. Remember those that occur most often.\n" + numbered;
    }

    private readonly record struct Counts(int Common, int Uncommon);
}
