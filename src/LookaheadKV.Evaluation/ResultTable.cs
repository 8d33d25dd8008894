using LookaheadKV.Evaluation.Metrics;
using MathNet.Numerics.Statistics;

namespace LookaheadKV.Evaluation;

/// <summary>A policy at a budget on a task, or on the mean of the tasks.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Method">The name of its scorer's method, whatever the policy is called; <c>full</c> where nothing is evicted.</param>
/// <param name="Budget">The budget as written; null for the full cache.</param>
/// <param name="Task">The task, or <c>mean</c>.</param>
/// <param name="Samples">Prompts behind the row.</param>
/// <param name="Metric">What scored the answers: <see cref="MetricNames"/>.</param>
/// <param name="Accuracy">Mean score of the answers, 0..1: of the synthetic tasks, the share of exact ones. Null where no right answer is known.</param>
/// <param name="Low">Lower end of its 95 % bootstrap interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="OracleOverlap">Share of the oracle's kept set that was kept, 0..1.</param>
/// <param name="CacheBytes">Mean bytes of the kept entries.</param>
/// <param name="EvictionMs">Median milliseconds of eviction.</param>
/// <param name="Query">Whether the question was part of what was scored.</param>
/// <param name="Fidelity">How near the cache stays to the full one, mean over the prompts; null where it was not measured.</param>
public sealed record ResultRow(
    string Policy,
    string Method,
    string? Budget,
    string Task,
    int Samples,
    string Metric,
    double? Accuracy,
    double? Low,
    double? High,
    double OracleOverlap,
    long CacheBytes,
    double EvictionMs,
    QueryMode Query = QueryMode.Aware,
    FidelityScores? Fidelity = null
);

/// <summary>Prompts' results as a table.</summary>
public static class ResultTable
{
    /// <summary>Name of the row over all tasks.</summary>
    public const string Mean = "mean";

    /// <summary>One row a policy, budget and task, and one with the mean of the tasks.</summary>
    /// <param name="results">Results of single prompts.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    /// <param name="query">How the results were made.</param>
    /// <param name="excludedFromMean">Tasks that the mean leaves out; default none.</param>
    public static IReadOnlyList<ResultRow> Summarise(
        IReadOnlyList<PromptResult> results,
        long seed = 0,
        IReadOnlyCollection<string>? excludedFromMean = null,
        QueryMode query = QueryMode.Aware
    )
    {
        var rows = new List<ResultRow>();
        foreach (var cell in results.GroupBy(r => (r.Policy, r.Method, r.Budget)))
        {
            var tasks = cell.GroupBy(r => r.Task).ToList();
            rows.AddRange(
                tasks.Select(task =>
                    Row(
                        task.Key,
                        [
                            [.. task],
                        ]
                    )
                )
            );
            var counted = tasks.Where(task => excludedFromMean?.Contains(task.Key) != true).Select(task => task.ToList()).ToList();
            if (counted.Count > 0)
                rows.Add(Row(Mean, counted));

            ResultRow Row(string name, IReadOnlyList<List<PromptResult>> groups)
            {
                var values = groups
                    .Select(g => (IReadOnlyList<double>)[.. g.Select(r => r.Score).OfType<double>()])
                    .Where(scores => scores.Count > 0)
                    .ToList();
                (double Low, double High)? interval = values.Count == 0 ? null : Bootstrap.Interval(values, seed);
                var all = groups.SelectMany(g => g).ToList();
                return new ResultRow(
                    cell.Key.Policy,
                    cell.Key.Method,
                    cell.Key.Budget,
                    name,
                    all.Count,
                    MetricNames.Of(all.Where(r => r.Score is not null).Select(r => r.Metric)),
                    values.Count == 0 ? null : values.Average(v => v.Average()),
                    interval?.Low,
                    interval?.High,
                    groups.Average(g => g.Average(r => r.OracleOverlap)),
                    (long)all.Average(r => r.CacheBytes),
                    all.Select(r => r.EvictionMs).Median(),
                    query,
                    FidelityScores.Mean(groups.Select(g => g.Select(r => r.Fidelity)))
                );
            }
        }
        return rows;
    }
}
