using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Samples;

/// <summary>One prompt of a benchmark with what it takes to score an answer; knows no model and no tokenizer.</summary>
/// <param name="Task">The task or data set, as result tables name it.</param>
/// <param name="Prompt">What the model is asked: the message of a user, or the whole text for a model without a chat template.</param>
/// <param name="Answers">The right answers; none where nobody knows one, and nothing can then be scored.</param>
/// <param name="Metric">Scores an answer.</param>
/// <param name="MaxNewTokens">How many tokens an answer may have.</param>
public sealed record EvaluationSample(string Task, string Prompt, IReadOnlyList<string> Answers, Metric Metric, int MaxNewTokens)
{
    /// <summary>How many tokens an answer may have, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int MaxNewTokens
    {
        get;
        init => field = value.AtLeast(1, "tokens of an answer:", "give 1 or more");
    } = MaxNewTokens.AtLeast(1, "tokens of an answer:", "give 1 or more");

    /// <summary>
    /// The end of <see cref="Prompt"/> that asks: what a query-agnostic comparison keeps back until the context before it has been evicted. Empty
    /// where a prompt does not end with its question.
    /// </summary>
    public string Question { get; init; } = "";

    /// <summary>What the metric is called in tables and figures: <see cref="MetricNames"/>.</summary>
    public string MetricName { get; init; } = MetricNames.Mixed;

    /// <summary>How the answer begins, put into the model's mouth after the prompt (after the chat template's opening of its turn); may be empty.</summary>
    public string AnswerPrefix { get; init; } = "";

    /// <summary>
    /// Whether a chat template should be used where the model has one. Prompts that end in the middle of a list of examples or of a program are to
    /// be continued as they stand.
    /// </summary>
    public bool Chat { get; init; } = true;

    /// <summary>The score of an answer, 0..1.</summary>
    public double Score(string prediction) => Metric(prediction, Answers);
}
