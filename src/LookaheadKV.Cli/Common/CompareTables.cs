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
