using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>A question whose text still has to be filled up: everything but the amount of haystack is decided.</summary>
/// <param name="Least">The fewest units of haystack that make a prompt.</param>
/// <param name="Most">The most units that there are.</param>
/// <param name="Context">The prompt up to its question with that many units; more units make a longer prompt.</param>
/// <param name="Question">The end of the prompt.</param>
/// <param name="AnswerPrefix">How the answer begins.</param>
/// <param name="Answers">The right answers.</param>
/// <param name="Metric">Scores an answer.</param>
/// <param name="MaxNewTokens">How many tokens an answer may have.</param>
internal sealed record RulerDraft(
    int Least,
    int Most,
    Func<int, string> Context,
    string Question,
    string AnswerPrefix,
    IReadOnlyList<string> Answers,
    Metric Metric,
    int MaxNewTokens
)
{
    /// <summary>The sample with as many units as fit: one more would make it longer than <paramref name="length"/>.</summary>
    /// <param name="task">The task's name.</param>
    /// <param name="length">The most tokens that prompt and answer prefix may have.</param>
    /// <param name="count">Counts the tokens of a text.</param>
    /// <exception cref="InputException">Not even the fewest units fit, or all there are do not reach the length.</exception>
    public EvaluationSample Filled(string task, int length, Func<string, int> count)
    {
        if (Tokens(Least, count) is var fewest && fewest > length)
            throw new InputException($"length {length} cannot hold the task '{task}': use {fewest} tokens or more.");
        var units = Units(length, fewest, count);
        if (units == Most && Tokens(Most, count) is var all && all < length)
            throw new InputException($"length {length} is more than the task '{task}' has text for: use {all} tokens or fewer.");
        return new(task, Context(units) + Question, Answers, Metric, MaxNewTokens)
        {
            Question = Question,
            AnswerPrefix = AnswerPrefix,
            MetricName = MetricNames.StringMatch,
        };
    }

    /// <summary>Whether the fewest units fit.</summary>
    public bool Fits(int length, Func<string, int> count) => Tokens(Least, count) <= length;

    private int Tokens(int units, Func<string, int> count) => count(Context(units) + Question + AnswerPrefix);

    // Counting a long prompt is slow, so the search goes where the tokens per unit say that the end is, and halves the rest every third step.
    private int Units(int length, int fewest, Func<string, int> count)
    {
        var (low, lowTokens) = (Least, fewest);
        // Twice as many units as tokens are too many for every task; Most + 1 stands for one that there is not.
        var high = (int)Math.Min(Math.Min(Most, Least + 2L * length), int.MaxValue - 1) + 1;
        var perUnit = 8.0;
        for (var step = 1; high - low > 1; step++)
        {
            var guess = step % 3 == 0 ? low + (high - low) / 2 : (int)Math.Clamp(low + (length - lowTokens) / perUnit, low + 1, high - 1);
            var tokens = Tokens(guess, count);
            if (tokens > lowTokens)
                perUnit = (double)(tokens - lowTokens) / (guess - low);
            if (tokens <= length)
                (low, lowTokens) = (guess, tokens);
            else
                high = guess;
        }
        return low;
    }
}
