namespace LookaheadKV.Evaluation.Metrics;

/// <summary>How good an answer is.</summary>
/// <param name="prediction">What the model wrote, without special tokens.</param>
/// <param name="answers">The right answers; whether one or all of them are wanted is the metric's business.</param>
/// <returns>0 (worthless) to 1 (perfect).</returns>
public delegate double Metric(string prediction, IReadOnlyList<string> answers);

/// <summary>Metrics of several answers from those of one.</summary>
public static class AnyAnswer
{
    /// <summary>The metric that compares with every answer and takes the best score; 0 where there is no answer.</summary>
    public static Metric Best(Func<string, string, double> score) =>
        (prediction, answers) => answers.Select(answer => score(prediction, answer)).DefaultIfEmpty(0).Max();
}
