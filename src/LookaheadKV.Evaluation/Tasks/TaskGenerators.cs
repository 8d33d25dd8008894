namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The generators of the synthetic long-context tasks.</summary>
public static class TaskGenerators
{
    // Facts that the question does not need stop coming when all facts are this share of the prompt.
    private const double FactShare = 0.5;

    /// <summary>Makes one sample: a pure function of its arguments.</summary>
    /// <param name="task">One of <see cref="TaskNames.All"/>.</param>
    /// <param name="length">
    /// The most tokens that the prompt may have; filler brings it within about 16 of that. Short prompts hold fewer facts.
    /// </param>
    /// <param name="seed">Names a set of samples.</param>
    /// <param name="index">The sample in that set.</param>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="split">The half of the world to draw from.</param>
    /// <exception cref="InputException">The task is unknown, or its facts and question alone do not fit into the length.</exception>
    public static TaskSample Generate(
        string task,
        int length,
        long seed,
        long index,
        PieceEncoder encoder,
        Split split = Split.Evaluation
    ) => Generate(task, length, withAnswer: false, seed, index, encoder, split);

    /// <summary>
    /// Makes one sample whose prompt and answer together have at most <paramref name="length"/> tokens, <c>&lt;|end|&gt;</c> included: what a
    /// model in training can be measured on when it has seen no longer sequences yet.
    /// </summary>
    /// <param name="task">One of <see cref="TaskNames.All"/>.</param>
    /// <param name="length">The most tokens that prompt and answer may have; filler brings them within about 16 of that.</param>
    /// <param name="seed">Names a set of samples.</param>
    /// <param name="index">The sample in that set.</param>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="split">The half of the world to draw from.</param>
    /// <exception cref="InputException">The task is unknown, or its facts, question and answer alone do not fit into the length.</exception>
    public static TaskSample GenerateWithAnswer(
        string task,
        int length,
        long seed,
        long index,
        PieceEncoder encoder,
        Split split = Split.Evaluation
    ) => Generate(task, length, withAnswer: true, seed, index, encoder, split);

    private static TaskSample Generate(string task, int length, bool withAnswer, long seed, long index, PieceEncoder encoder, Split split)
    {
        var shape = TaskShape.Of(task);
        var random = RandomStream.For(split, withAnswer ? $"task {task} with answer" : $"task {task}", length, seed, index);
        var size = random.Between(shape.Size.Low, shape.Size.High);
        var wanted = random.Between(shape.Groups.Low, shape.Groups.High);
        var draft = Draft.Fitting(shape, size, length, withAnswer, Groups, encoder, random);
        var question = draft.Question;
        var prompt = Templates.Prompt(question, draft.Text(length - draft.Tokens, encoder));
        return new TaskSample(task, prompt, question.Answer, encoder.Encode(prompt), encoder.Encode(question.Ending));

        List<Fact[]> Groups(int size, RandomStream attempt) =>
            Documents.Groups(shape, size, wanted, (int)(FactShare * length), new Cast(attempt, twins: true), encoder, attempt);
    }
}
