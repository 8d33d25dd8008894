using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>
/// Frequent words: a text of made-up words whose counts follow Zipf's law with exponent 2; the most frequent one is written as dots, and asked
/// are the three after it.
/// </summary>
internal static class FrequentWordsTask
{
    private const int Letters = 6;
    private const int Asked = 3;
    private const string Dots = "...";

    // ζ(2): the sum of 1/k² over all ranks k.
    private const double Zeta = Math.PI * Math.PI / 6;

    // From here on no two of the ranks 2 to 5 have the same whole count: 32/16 = 2 against 32/25 = 1.28.
    private const int LeastUnits = (int)(32 * Zeta) + 1;

    public static RulerDraft Draft(RandomStream random)
    {
        var taken = new HashSet<string>();
        List<string> ranks = [Dots];
        var order = random.Copy();
        Grow(1 + Asked);
        return new(
            LeastUnits,
            Most: int.MaxValue,
            units => $"The text below is made of coded words. Keep count of how often each of them occurs.\n{Text(units)}",
            $"\nQuestion: Leave out the dots '{Dots}' and give no explanation. Which three coded words occur most often in the text above?",
            " Answer: The three coded words that occur most often in the text above are:",
            ranks[1..(1 + Asked)],
            StringMatch.All,
            MaxNewTokens: 50
        );

        // A unit is a word that is drawn from the law; counts are rounded down, so rare ranks do not occur at all.
        string Text(int units)
        {
            var count = (int)Math.Sqrt(units / Zeta);
            Grow(count);
            string[] words =
            [
                .. ranks.Take(count).SelectMany((word, i) => Enumerable.Repeat(word, (int)(units / (Zeta * (i + 1) * (i + 1))))),
            ];
            order.Copy().Shuffle(words.AsSpan());
            return string.Join(' ', words);
        }

        void Grow(int count)
        {
            while (ranks.Count < count)
                ranks.Add(RulerWords.Fresh(taken, () => RulerWords.Letters(random, Letters, 'a')));
        }
    }
}
