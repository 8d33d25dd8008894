using LookaheadKV.Evaluation.Ruler;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Methods;

namespace LookaheadKV.Evaluation;

/// <summary>Reasons not to believe a table: the baseline is broken, chance does as well, or nothing was evicted.</summary>
public static class SanityGates
{
    /// <summary>A task of right and wrong answers whose full-cache accuracy is below this says nothing about eviction.</summary>
    public const double LeastBaseline = 0.75;

    /// <summary>The same for free texts (LongBench, LongProc, questions of one's own), of which good models reach 0.2 to 0.9.</summary>
    public const double LeastTextBaseline = 0.1;

    /// <summary>What a task must reach on the full cache.</summary>
    public static double LeastBaselineOf(string task) =>
        TaskNames.All.Contains(task) || RulerTasks.Names.Contains(task) || task == ResultTable.Mean ? LeastBaseline : LeastTextBaseline;

    /// <summary>Tasks to leave out of averages: the model cannot do them even on the full cache.</summary>
    public static IReadOnlyList<string> LeftOut(IReadOnlyList<ResultRow> rows) =>
        [.. rows.Where(r => r.Budget is null && r.Task != ResultTable.Mean && r.Accuracy < LeastBaselineOf(r.Task)).Select(r => r.Task)];

    /// <summary>Why the whole result must be refused, a line each; empty if it may stand.</summary>
    public static IReadOnlyList<string> Refusals(IReadOnlyList<ResultRow> rows)
    {
        var means = rows.Where(r => r.Task == ResultTable.Mean).ToList();
        if (means.FirstOrDefault(r => r.Budget is null) is not { } full)
            return
            [
                $"no task reaches {rows.Select(r => LeastBaselineOf(r.Task)).DefaultIfEmpty(LeastBaseline).Min():0.00} on the full cache: the model cannot do these tasks at this length, so eviction cannot be judged.",
            ];
        // By the method, for a policy may be called anything: random[seed=3], random[window=32].
        var chance = means.Where(r => r.Method == RandomScore.Method.Name).ToLookup(r => r.Budget);
        return
        [
            .. means
                .Where(r => r.Budget is not null && r.CacheBytes >= full.CacheBytes)
                .Select(r =>
                    $"{r.Policy} at budget {r.Budget} evicted nothing ({r.CacheBytes} bytes): give a smaller budget or longer prompts."
                ),
            .. from row in means
            where row.Budget is not null && row.Method != RandomScore.Method.Name
            from random in chance[row.Budget]
            where random.Low > row.High
            select $"{random.Policy} ({random.Accuracy:0.000}) beats {row.Policy} ({row.Accuracy:0.000}) at budget {row.Budget}: something is broken.",
        ];
    }
}
