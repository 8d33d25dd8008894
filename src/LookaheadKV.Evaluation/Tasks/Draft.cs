namespace LookaheadKV.Evaluation.Tasks;

/// <summary>A document before its filler: its facts in their order, and the question right after it.</summary>
/// <param name="Groups">The facts in groups; those that the question asks for come first.</param>
/// <param name="Facts">The facts in the order of the text.</param>
/// <param name="Question">The question.</param>
/// <param name="Tokens">The tokens of the prompt without filler, and of the answer if it counts.</param>
/// <param name="Random">The stream to go on with.</param>
internal sealed record Draft(IReadOnlyList<Fact[]> Groups, IReadOnlyList<Fact> Facts, Question Question, int Tokens, RandomStream Random)
{
    /// <summary>
    /// The draft of a task that fits into a length: with <paramref name="size"/> things in its answer, or as many as fit.
    /// </summary>
    /// <param name="shape">The task.</param>
    /// <param name="size">How many things the answer should list.</param>
    /// <param name="length">The tokens that there is room for.</param>
    /// <param name="withAnswer">Whether the answer and its end token need room too.</param>
    /// <param name="groups">Draws the groups for a size.</param>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="random">Read from its present state for every size tried.</param>
    /// <exception cref="InputException">Not even the smallest form of the task fits.</exception>
    public static Draft Fitting(
        TaskShape shape,
        int size,
        int length,
        bool withAnswer,
        Func<int, RandomStream, List<Fact[]>> groups,
        PieceEncoder encoder,
        RandomStream random
    )
    {
        for (; size >= shape.LeastSize; size--)
        {
            var attempt = random.Copy();
            var draft = Of(shape, size, groups(size, attempt), withAnswer, encoder, attempt);
            if (draft.Tokens <= length)
                return draft;
        }
        var least = Documents.Groups(shape, shape.LeastSize, 0, 0, new Cast(random, twins: true), encoder, random);
        var needed = Of(shape, shape.LeastSize, least, withAnswer, encoder, random).Tokens;
        throw new InputException(
            $"length {length} cannot hold the task '{shape.Task}'{(withAnswer ? " with its answer" : "")}: use {needed} tokens or more"
        );
    }

    /// <summary>The text with as much filler as fits into <paramref name="room"/> tokens.</summary>
    public string Text(int room, PieceEncoder encoder) => Documents.Text(Facts, room, encoder, Random);

    private static Draft Of(
        TaskShape shape,
        int size,
        IReadOnlyList<Fact[]> groups,
        bool withAnswer,
        PieceEncoder encoder,
        RandomStream random
    )
    {
        var facts = Documents.Order(groups, random);
        var question = Questions.Ask(shape.Task, [.. groups.Take(shape.Asked(size))], facts);
        var prompt = Templates.Prompt(question, Documents.Text(facts, 0, encoder, random));
        return new Draft(groups, facts, question, encoder.Count(withAnswer ? prompt + question.Ending : prompt), random);
    }
}
