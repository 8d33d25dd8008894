using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>What surrounds the needles.</summary>
internal enum NeedleHaystack
{
    /// <summary>The same few sentences over and over.</summary>
    Repeated,

    /// <summary>Prose.</summary>
    Essay,

    /// <summary>More needles, none of which is asked for.</summary>
    Needles,
}

/// <summary>Needles in a haystack: sentences that give secret values of keys, of which some keys are asked.</summary>
/// <param name="Haystack">What surrounds the needles.</param>
/// <param name="CodeKeys">Whether keys are UUIDs instead of names.</param>
/// <param name="CodeValues">Whether values are UUIDs instead of numbers.</param>
/// <param name="Keys">Keys that the haystack comes on top of.</param>
/// <param name="Values">Values of each key.</param>
/// <param name="Queries">Keys that are asked; all values of them are wanted.</param>
internal sealed record NeedleTask(
    NeedleHaystack Haystack,
    bool CodeKeys = false,
    bool CodeValues = false,
    int Keys = 1,
    int Values = 1,
    int Queries = 1
)
{
    private string Kind => CodeValues ? "code" : "number";

    /// <param name="random">What is drawn comes from here.</param>
    /// <param name="essays">The prose; null: generated sentences.</param>
    public RulerDraft Draft(RandomStream random, Essays? essays)
    {
        var (keys, values) = (new HashSet<string>(), new HashSet<string>());
        var needles = Enumerable
            .Range(0, Keys)
            .Select(_ => (Key: Key(keys, random), Values: Enumerable.Range(0, Values).Select(_ => Value(values, random)).ToList()))
            .ToArray();
        var woven = needles
            .SelectMany(needle => needle.Values.Select(value => (random.Unit(), Sentence(needle.Key, value))))
            .OrderBy(static needle => needle.Item1)
            .ToList();
        random.Shuffle(needles.AsSpan());
        var asked = needles[..Queries];
        var query = List([.. asked.Select(static needle => needle.Key)]);
        var hay = Hay();
        var separator = Haystack == NeedleHaystack.Needles ? "\n" : " ";
        var (before, after, prefix) = Frame(query);
        return new(
            Least: 1,
            Most: int.MaxValue,
            units => $"{before}\n{hay.Weave(units, separator, woven)}",
            $"\n{after}",
            prefix,
            [.. asked.SelectMany(static needle => needle.Values)],
            StringMatch.All,
            MaxNewTokens: 128
        );

        Haystack Hay() =>
            Haystack switch
            {
                NeedleHaystack.Repeated => Ruler.Haystack.Repeated(),
                NeedleHaystack.Essay => Ruler.Haystack.Essay(random, essays),
                // Keys of the haystack may come twice when the names run out, but never one of the needles'.
                _ => new(_ => Sentence(Distractor(keys, random), Value(values, random))),
            };
    }

    private (string Before, string After, string Prefix) Frame(string query) =>
        Values * Queries == 1
            ? (
                $"A secret {Kind} is hidden in the text below. Remember it: I will ask for it afterwards.",
                $"What is the secret {Kind} of {query} that the text above gives?",
                $" The secret {Kind} of {query} that the text above gives is"
            )
            : (
                $"Secret {Kind}s are hidden in the text below. Remember them: I will ask for them afterwards.",
                $"What are all the secret {Kind}s of {query} that the text above gives?",
                $" The secret {Kind}s of {query} that the text above gives are"
            );

    private string Sentence(string key, string value) => $"A secret {Kind} of {key} is: {value}.";

    private string DrawKey(RandomStream random) => CodeKeys ? RulerWords.Code(random) : RulerWords.Name(random);

    private string Key(HashSet<string> taken, RandomStream random) => RulerWords.Fresh(taken, () => DrawKey(random));

    private string Value(HashSet<string> taken, RandomStream random) =>
        RulerWords.Fresh(taken, () => CodeValues ? RulerWords.Code(random) : RulerWords.Number(random));

    private string Distractor(HashSet<string> needles, RandomStream random)
    {
        string key;
        do key = DrawKey(random);
        while (needles.Contains(key));
        return key;
    }

    private static string List(IReadOnlyList<string> names) =>
        names.Count == 1 ? names[0] : $"{string.Join(", ", names.Take(names.Count - 1))}, and {names[^1]}";
}
