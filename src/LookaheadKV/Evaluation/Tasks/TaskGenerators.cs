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
    public static TaskSample Generate(string task, int length, long seed, long index, PieceEncoder encoder, Split split = Split.Evaluation)
    {
        var shape = TaskShape.Of(task);
        var random = RandomStream.For(split, $"task {task}", length, seed, index);
        var size = random.Between(shape.Size.Low, shape.Size.High);
        while (true)
        {
            var attempt = random.Copy();
            var wanted = attempt.Between(shape.Groups.Low, shape.Groups.High);
            var groups = Documents.Groups(shape, size, wanted, (int)(FactShare * length), new Cast(attempt, twins: true), encoder, attempt);
            var facts = Documents.Order(groups, attempt);
            var question = Questions.Ask(task, groups[..shape.Asked(size)], facts);
            var needed = encoder.Count(Templates.Prompt(question, Documents.Text(facts, 0, encoder, attempt)));
            if (needed <= length)
            {
                var prompt = Templates.Prompt(question, Documents.Text(facts, length - needed, encoder, attempt));
                return new TaskSample(
                    task,
                    prompt,
                    question.Answer,
                    encoder.Encode(prompt),
                    encoder.Encode(question.Answer + Templates.End)
                );
            }
            if (size-- == shape.LeastSize)
                throw new InputException($"length {length} cannot hold the task '{task}': use at least {needed} tokens");
        }
    }
}
