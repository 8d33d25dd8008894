namespace LookaheadKV.Evaluation.Metrics;

/// <summary>RULER's scores: which answers stand in the prediction as they are, upper and lower case aside.</summary>
public static class StringMatch
{
    /// <summary>The share of the answers that the prediction contains; 0 where there is no answer.</summary>
    public static double All(string prediction, IReadOnlyList<string> answers) => Found(prediction, answers).DefaultIfEmpty(0).Average();

    /// <summary>1 where the prediction contains at least one of the answers, else 0.</summary>
    public static double Part(string prediction, IReadOnlyList<string> answers) => Found(prediction, answers).DefaultIfEmpty(0).Max();

    private static IEnumerable<double> Found(string prediction, IReadOnlyList<string> answers) =>
        answers.Select(answer => prediction.Contains(answer, StringComparison.OrdinalIgnoreCase) ? 1.0 : 0.0);
}
