using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Cli.Common;

/// <summary>The tables of <c>compare</c>: what was gained at which cost, and the accuracy of every task.</summary>
internal static class CompareTables
{
    public static void Show(Screen screen, IReadOnlyList<ResultRow> rows, IReadOnlyList<string> tasks, IReadOnlyList<string> leftOut)
    {
        screen.Table(
            ["policy", "query", "budget", $"{Heading(rows)} ± 95 %", "oracle's set", "cache", "eviction ms"],
            rows.Where(row => row.Task == ResultTable.Mean).Select(Summary)
        );
        screen.Table(
            ["policy", "budget", .. tasks.Select(task => leftOut.Contains(task) ? task + "*" : task)],
            rows.GroupBy(row => (row.Policy, row.Budget))
                .Select(cell => (string[])[cell.Key.Policy, cell.Key.Budget ?? "all", .. tasks.Select(task => Accuracy(cell, task))])
        );
        foreach (var task in leftOut)
            screen.Line(
                $"* {task} is left out of the mean: {Accuracy(rows.Where(row => row.Budget is null), task)} on the full cache is below {Units.Format($"{SanityGates.LeastBaselineOf(task):0.00}")}."
            );
    }

    /// <summary>How near the caches stay to the full one, and what of it is settled against a baseline; nothing where neither was asked for.</summary>
    public static void ShowFidelity(Screen screen, IReadOnlyList<ResultRow> rows, IReadOnlyList<PairedRow> paired, string? baseline)
    {
        if (rows.Any(row => row.Fidelity is not null))
            screen.Table(
                ["policy", "budget", "KL(full‖evicted)", "equal argmax", "lost log-likelihood", "kept attention"],
                from row in rows
                where row.Task == ResultTable.Mean
                let near = row.Fidelity
                select (string[])
                    [
                        row.Policy,
                        row.Budget ?? "all",
                        Units.Format($"{near?.Divergence:0.0000}"),
                        Units.Format($"{near?.EqualArgmax:0.000}"),
                        Units.Format($"{near?.LostLogLikelihood:0.0000}"),
                        Units.Format($"{near?.KeptAttention:0.000}"),
                    ]
            );
        foreach (var sentence in PairedTable.Summary(paired, baseline ?? "", "score", "KL"))
            screen.Line(sentence);
    }

    public static string Name(QueryMode mode) => mode.ToString().ToLowerInvariant();

    private static string[] Summary(ResultRow row) =>
        [
            row.Policy,
            Name(row.Query),
            row.Budget ?? "all",
            row.Accuracy is null ? "" : Units.Format($"{row.Accuracy:0.000} ± {(row.High - row.Low) / 2:0.000}"),
            Units.Format($"{row.OracleOverlap:0.000}"),
            Units.Bytes(row.CacheBytes),
            Units.Format($"{row.EvictionMs:0.0}"),
        ];

    private static string Heading(IReadOnlyList<ResultRow> rows) =>
        MetricNames.Of(rows.Select(row => row.Metric)) is var metric && metric == MetricNames.Exact ? "accuracy" : metric;

    private static string Accuracy(IEnumerable<ResultRow> cell, string task) =>
        Units.Format($"{cell.First(row => row.Task == task).Accuracy:0.00}");
}
