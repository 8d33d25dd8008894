namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// LongBench's similarity of a line of code: how alike the prediction's first line of code and the answer are, by insertions and deletions.
/// </summary>
public static class CodeSimilarity
{
    /// <summary>0..1 in steps of 0.01, as the published scores are rounded: <see cref="Ratio"/> of <see cref="FirstLine"/> and the answer.</summary>
    public static double Score(string prediction, string answer) => Math.Round(100 * Ratio(FirstLine(prediction), answer)) / 100;

    /// <summary>
    /// The first line, after leading line breaks, without a back quote, <c>#</c> or <c>//</c>, which mark fences and comments; empty where
    /// every line has one.
    /// </summary>
    public static string FirstLine(string prediction) =>
        prediction
            .TrimStart('\n')
            .Split('\n')
            .FirstOrDefault(static line => !line.Contains('`') && !line.Contains('#') && !line.Contains("//"), "");

    /// <summary>
    /// <c>2c / (n + m)</c> for texts of n and m characters, c of them in a longest common subsequence; this is 1 less the insertions and deletions that
    /// turn one text into the other, over n + m. Two empty texts are equal (1).
    /// </summary>
    public static double Ratio(string a, string b)
    {
        if (a.Length + b.Length == 0)
            return 1;
        // One row of the table of common lengths is enough: best[j] is that of a's first characters and b's first j.
        var best = new int[b.Length + 1];
        foreach (var letter in a)
        {
            var diagonal = 0;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, best[j]) = (best[j], letter == b[j - 1] ? diagonal + 1 : Math.Max(best[j], best[j - 1]));
        }
        return 2.0 * best[b.Length] / (a.Length + b.Length);
    }
}
