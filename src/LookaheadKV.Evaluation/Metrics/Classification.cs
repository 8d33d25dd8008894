namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// LongBench's score of a class: 1 where the answer's class is the only one that the prediction names, 1/k where it names k, 0 where the
/// answer's class is not among them. A class whose name is a part of the answer's name ("city" in "city hall") is not counted: whoever writes
/// the longer name writes the shorter one too.
/// </summary>
public static class Classification
{
    /// <summary>0, or 1/k.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="answer">The right class.</param>
    /// <param name="classes">The names of all classes; upper and lower case differ.</param>
    public static double Score(string prediction, string answer, IReadOnlyList<string> classes)
    {
        var named = classes.Where(name => Has(prediction, name) && (name == answer || !Has(answer, name))).ToList();
        return named.Contains(answer) ? 1.0 / named.Count : 0;
    }

    private static bool Has(string text, string part) => text.Contains(part, StringComparison.Ordinal);
}
