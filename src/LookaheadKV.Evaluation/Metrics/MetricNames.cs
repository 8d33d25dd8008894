using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>The metrics by the names that files, tables and figures have for them.</summary>
public static class MetricNames
{
    /// <summary>Right or wrong: of a synthetic task, the answer token by token; of a text, <see cref="ExactAnswer"/>.</summary>
    public const string Exact = "exact";

    /// <summary>The share of the answers that the prediction contains (RULER): <see cref="StringMatch.All"/>.</summary>
    public const string StringMatch = "string-match";

    /// <summary>F1 of a table's rows (LongProc): <see cref="RowF1"/>.</summary>
    public const string RowF1 = "row-f1";

    /// <summary>Several metrics, or one without a name.</summary>
    public const string Mixed = "score";

    private static readonly Dictionary<string, Metric> All = new()
    {
        [Exact] = AnyAnswer.Best(ExactAnswer.Score),
        ["answer-f1"] = AnyAnswer.Best(AnswerF1.Score),
        ["rouge-l"] = AnyAnswer.Best(RougeL.Summary),
        [StringMatch] = Metrics.StringMatch.All,
        ["string-match-any"] = Metrics.StringMatch.Part,
        ["count"] = AnyAnswer.Best(NumberShare.Count),
        ["code-similarity"] = AnyAnswer.Best(CodeSimilarity.Score),
        [RowF1] = AnyAnswer.Best(Metrics.RowF1.Score),
    };

    /// <summary>Names that a file of questions may use.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Keys];

    /// <summary>The metric of a name.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public static Metric Named(string name) =>
        All.GetValueOrDefault(name)
        ?? throw new InputException($"unknown metric {Quoting.Quote(name)}; use one of {string.Join(", ", Names)}.");

    /// <summary>What results of these metrics are together: the one metric, or <see cref="Mixed"/>.</summary>
    public static string Of(IEnumerable<string> metrics) => metrics.Distinct().Take(2).ToArray() is [var one] ? one : Mixed;

    /// <summary>What the axis of a figure, or the head of a column, calls it.</summary>
    public static string Title(string metric) => metric == Exact ? "exact answers" : metric;
}
