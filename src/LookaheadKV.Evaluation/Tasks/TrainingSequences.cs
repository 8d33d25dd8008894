namespace LookaheadKV.Evaluation.Tasks;

/// <summary>
/// Documents with many questions and answers each. The first question stands right after the text, exactly as in a
/// <see cref="TaskSample"/>; the others follow it in the same form of words, so that one long text gives many answers to learn from.
/// </summary>
public static class TrainingSequences
{
    private const double FactShare = 0.6;
    private const double MixedShare = 0.7;
    private const int ListedCodes = 8;

    /// <summary>Makes one sequence of the training split: a pure function of its arguments.</summary>
    /// <param name="length">The tokens of the sequence, exactly; the last few may be <c>&lt;|pad|&gt;</c>.</param>
    /// <param name="seed">Names a training run.</param>
    /// <param name="index">The sequence in that run.</param>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="mixture">How often each task is drawn; <see cref="TaskMixture.Default"/> if null.</param>
    /// <exception cref="InputException">The drawn task's facts, question and answer alone do not fit into the length.</exception>
    public static TrainingSequence Generate(int length, long seed, long index, PieceEncoder encoder, TaskMixture? mixture = null)
    {
        mixture ??= TaskMixture.Default;
        var random = RandomStream.For(Split.Training, "sequence", length, seed, index);
        var shape = TaskShape.Of(mixture.Draw(random));
        var size = random.Between(shape.LeastSize, shape.Size.High);
        var questionRoom = (int)(length * QuestionShare(length, random));
        var draft = Draft.Fitting(shape, size, length, withAnswer: true, Drawn, encoder, random);
        var first = draft.Question;
        var room = Math.Min(length - draft.Tokens, questionRoom - encoder.Count(Templates.Ask(first.Text) + first.Ending));
        var (others, used) = FollowUps(draft, room, mixture, encoder);
        var text = draft.Text(length - draft.Tokens - used, encoder);
        return Assemble(length, Templates.Prompt(first, text), first, others, encoder);

        List<Fact[]> Drawn(int size, RandomStream attempt) =>
            Groups(shape, size, (int)(FactShare * (length - questionRoom)), encoder, attempt);
    }

    // About half of a short sequence is questions; a long one has many of them at a smaller share.
    private static double QuestionShare(int length, RandomStream random) =>
        (0.35 + 0.25 * random.Unit()) * Math.Min(1, Math.Sqrt(256.0 / length));

    // Some documents hold facts of the first question's kind alone; in the others, facts of other kinds stand among them.
    private static List<Fact[]> Groups(TaskShape shape, int size, int cap, PieceEncoder encoder, RandomStream random)
    {
        var cast = new Cast(random, twins: false);
        var mixed = random.Chance(MixedShare);
        var wanted = Many(shape.Least(size), shape.Groups.High, random);
        var own = mixed ? (0.3 + 0.5 * random.Unit()) * cap : cap;
        var groups = Documents.Groups(shape, size, wanted, (int)own, cast, encoder, random);
        if (!mixed)
            return groups;
        GroupKind[] kinds = [.. Enum.GetValues<GroupKind>().Where(kind => kind != shape.Kind)];
        random.Shuffle<GroupKind>(kinds);
        foreach (var kind in kinds[..random.Between(1, kinds.Length)])
            Documents.AddOthers(groups, kind, 0, groups.Count + Many(1, MostOf(kind), random), cap, cast, encoder, random);
        return groups;
    }

    private static (List<Question> Questions, int Tokens) FollowUps(Draft draft, int room, TaskMixture mixture, PieceEncoder encoder)
    {
        const int Tries = 8;
        var (questions, used) = (new List<Question>(), 0);
        var asked = new HashSet<string> { draft.Question.Text };
        var groups = draft.Groups.ToLookup(Documents.KindOf);
        if (mixture.Among(task => CanFollow(task, groups)) is not { } following)
            return (questions, used);
        for (var missed = 0; missed < Tries; )
        {
            var question = FollowUp(TaskShape.Of(following.Draw(draft.Random)), groups, draft);
            var cost = encoder.Count(Templates.Ask(question.Text) + question.Ending);
            if (used + cost > room || !asked.Add(question.Text))
            {
                missed++;
                continue;
            }
            questions.Add(question);
            used += cost;
        }
        return (questions, used);
    }

    private static bool CanFollow(string task, ILookup<GroupKind, Fact[]> groups)
    {
        var shape = TaskShape.Of(task);
        var there = groups[shape.Kind].Count();
        return task switch
        {
            TaskNames.QuestionFirst => false,
            TaskNames.ListAll => there is > 0 and <= ListedCodes,
            _ => there >= shape.Asked(shape.LeastSize),
        };
    }

    private static Question FollowUp(TaskShape shape, ILookup<GroupKind, Fact[]> groups, Draft draft)
    {
        var random = draft.Random;
        var there = groups[shape.Kind].ToArray();
        random.Shuffle<Fact[]>(there);
        var asked = there[..Math.Min(there.Length, shape.Asked(random.Between(shape.LeastSize, shape.Size.High)))];
        // A chain may be traced from any of its links.
        if (shape.Kind is GroupKind.Chain)
            asked[0] = asked[0][..random.Between(1, asked[0].Length)];
        return Questions.Ask(shape.Task, asked, draft.Facts);
    }

    // The more facts, the more there is to ask.
    private static int Many(int low, int high, RandomStream random) =>
        high <= low ? low : Math.Max(random.Between(low, high), random.Between(low, high));

    private static int MostOf(GroupKind kind) =>
        TaskNames.All.Select(TaskShape.Of).Where(shape => shape.Kind == kind).Max(static shape => shape.Groups.High);

    private static TrainingSequence Assemble(int length, string prompt, Question first, List<Question> others, PieceEncoder encoder)
    {
        var ids = new List<int>(length);
        var loss = new bool[length];
        Add(prompt, first);
        foreach (var question in others)
            Add(Templates.Ask(question.Text), question);
        while (ids.Count < length)
            encoder.Append(Templates.Pad, ids);
        return new TrainingSequence([.. ids], loss);

        void Add(string context, Question question)
        {
            encoder.Append(context, ids);
            var start = ids.Count;
            encoder.Append(question.Ending, ids);
            Array.Fill(loss, true, start, ids.Count - start);
        }
    }
}
