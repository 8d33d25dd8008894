namespace LookaheadKV.Training.Texts;

/// <summary>Facts to strew into a text, and a question that they answer.</summary>
/// <param name="Asked">The sentences that hold the answer.</param>
/// <param name="Others">Sentences that do not; they can be left out.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Opening">How the answer may begin.</param>
internal sealed record LookUp(IReadOnlyList<string> Asked, IReadOnlyList<string> Others, string Question, string Opening)
{
    private const int MostAsked = 4;

    // With others of the same kind it does not do to find anything that looks like an answer.
    private const double OthersOfTheKind = 0.6;

    private static readonly string[] Introductions =
    [
        "Read the text and answer the question: ",
        "The answer to this question stands in the text: ",
        "Answer from the text alone. ",
        "Somewhere in the text there is an answer to this. ",
        "Answer briefly: ",
        "",
        "",
    ];

    /// <summary>A look-up of so many facts.</summary>
    public static LookUp Draw(RandomStream random, int facts, TextRecipe recipe)
    {
        var kind = random.Pick(FactKind.All);
        var way = random.Unit();
        var several = facts > 1 && way < recipe.AskSeveral;
        var every = facts > 1 && !several && way < recipe.AskSeveral + recipe.AskAll;
        var asked = several || every ? random.Between(2, Math.Min(facts, MostAsked)) : 1;
        var known = new HashSet<string>();
        var things = Enumerable.Range(0, every ? 1 : asked).Select(_ => New(kind, known)).ToArray();
        var statements = Enumerable.Range(0, asked).Select(i => Statement(kind, things[i % things.Length])).ToArray();
        var others = Enumerable.Range(0, facts - asked).Select(_ => Other()).ToArray();
        var question =
            several ? random.Pick(kind.Several).Replace("{es}", Listed(things))
            : every ? random.Pick(kind.Every).Replace("{e}", things[0])
            : random.Pick(kind.Questions).Replace("{e}", things[0]);
        var opening = asked == 1 ? kind.Opening.Replace("{e}", things[0]) : "";
        return new LookUp(statements, others, random.Pick(Introductions) + Sentence(question), Sentence(opening));

        string Other()
        {
            var other = random.Chance(OthersOfTheKind) ? kind : random.Pick(FactKind.All);
            return Statement(other, New(other, known));
        }

        string New(FactKind of, HashSet<string> taken)
        {
            while (true)
                if (of.Thing(random) is var thing && taken.Add(thing))
                    return thing;
        }

        string Statement(FactKind of, string thing) =>
            Sentence(random.Pick(of.Statements).Replace("{e}", thing).Replace("{v}", of.Value(random)));
    }

    private static string Listed(IReadOnlyList<string> things) => string.Join(", ", things.SkipLast(1)) + " and " + things[^1];

    private static string Sentence(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
}
