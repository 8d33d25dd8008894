using LookaheadKV.Evaluation;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>Tables, intervals and the gates that refuse a table.</summary>
public class ResultTableTests
{
    [Fact]
    public void Rows_hold_the_means_of_tasks_and_of_their_mean()
    {
        var rows = ResultTable.Summarise([One("a", true, 0.5, 10, 1), One("a", false, 0.7, 20, 3), One("b", true, 0.2, 30, 2)]);
        var a = rows.Single(r => r.Task == "a");
        Assert.Equal((2, 0.5, 15L, 2.0), (a.Samples, a.Accuracy, a.CacheBytes, a.EvictionMs));
        Assert.Equal(0.6, a.OracleOverlap, 12);
        var mean = rows.Single(r => r.Task == ResultTable.Mean);
        Assert.Equal((3, 0.75), (mean.Samples, mean.Accuracy)); // the mean of tasks, not of prompts
        Assert.Equal(0.4, mean.OracleOverlap, 12);
    }

    [Fact]
    public void A_task_left_out_of_the_mean_keeps_its_own_row()
    {
        var rows = ResultTable.Summarise([One("a", true), One("b", false)], excludedFromMean: ["b"]);
        Assert.Equal(1.0, rows.Single(r => r.Task == ResultTable.Mean).Accuracy);
        Assert.Equal(0.0, rows.Single(r => r.Task == "b").Accuracy);
    }

    [Theory]
    [InlineData(40, 0.5)]
    [InlineData(200, 0.9)]
    public void The_bootstrap_agrees_with_the_normal_approximation(int count, double share)
    {
        double[] values = [.. Enumerable.Range(0, count).Select(i => i < share * count ? 1.0 : 0.0)];
        var (low, high) = Bootstrap.Interval([values]);
        var half = 1.96 * Math.Sqrt(share * (1 - share) / count);
        Assert.Equal(share - half, low, tolerance: half / 4);
        Assert.Equal(share + half, high, tolerance: half / 4);
        Assert.Equal((low, high), Bootstrap.Interval([values])); // the same seed, the same interval
    }

    [Fact]
    public void The_bootstrap_draws_within_tasks()
    {
        double[] right = [1, 1, 1, 1];
        double[] wrong = [0, 0, 0, 0];
        // Between them there is nothing to vary: mixing the tasks would give an interval wider than this.
        Assert.Equal((0.5, 0.5), Bootstrap.Interval([right, wrong]));
    }

    [Fact]
    public void A_good_table_is_not_refused() => Assert.Empty(SanityGates.Refusals(Table(full: 1, random: 0, method: 0.9, bytes: 10)));

    [Fact]
    public void A_table_is_refused_where_chance_beats_the_method() =>
        Assert.Contains("random", Assert.Single(SanityGates.Refusals(Table(full: 1, random: 1, method: 0, bytes: 10))));

    [Fact]
    public void A_table_is_refused_where_nothing_was_evicted() =>
        Assert.Contains("evicted nothing", Assert.Single(SanityGates.Refusals(Table(full: 1, random: 0, method: 1, bytes: 100))));

    [Fact]
    public void A_task_that_the_full_cache_fails_is_left_out_and_without_any_task_the_table_is_refused()
    {
        var rows = ResultTable.Summarise([.. Enumerable.Range(0, 8).Select(i => One("a", i < 4, policy: "full", budget: null))]);
        Assert.Equal(["a"], SanityGates.LeftOut(rows));
        var without = ResultTable.Summarise(
            [.. Enumerable.Range(0, 8).Select(i => One("a", i < 4, policy: "full", budget: null))],
            excludedFromMean: SanityGates.LeftOut(rows)
        );
        Assert.Contains("full cache", Assert.Single(SanityGates.Refusals(without)));
    }

    private static IReadOnlyList<ResultRow> Table(double full, double random, double method, long bytes) =>
        ResultTable.Summarise([
            .. Enumerable
                .Range(0, 20)
                .SelectMany(i =>
                    new[]
                    {
                        One("a", i < 20 * full, bytes: 100, policy: "full", budget: null),
                        One("a", i < 20 * random, bytes: 10, policy: "random"),
                        One("a", i < 20 * method, bytes: bytes, policy: "snapkv"),
                    }
                ),
        ]);

    private static PromptResult One(
        string task,
        bool correct,
        double overlap = 1,
        long bytes = 1,
        double milliseconds = 0,
        string policy = "snapkv",
        string? budget = "64"
    ) => new(task, 0, policy, budget, correct ? 1 : 0, overlap, bytes, milliseconds);
}
