using LookaheadKV.Evaluation;
using LookaheadKV.Methods;
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
        Assert.Equal((2, 0.5, 15L, 2.0), (a.Samples, a.Accuracy!.Value, a.CacheBytes, a.EvictionMs));
        Assert.Equal(0.6, a.OracleOverlap, 12);
        var mean = rows.Single(r => r.Task == ResultTable.Mean);
        Assert.Equal((3, 0.75), (mean.Samples, mean.Accuracy!.Value)); // the mean of tasks, not of prompts
        Assert.Equal(0.4, mean.OracleOverlap, 12);
    }

    [Fact]
    public void A_task_left_out_of_the_mean_keeps_its_own_row()
    {
        var rows = ResultTable.Summarise([One("a", true), One("b", false)], excludedFromMean: ["b"]);
        Assert.Equal(1.0, rows.Single(r => r.Task == ResultTable.Mean).Accuracy!.Value);
        Assert.Equal(0.0, rows.Single(r => r.Task == "b").Accuracy!.Value);
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

    /// <summary>
    /// Resampling n values of which k are 1 gives a binomial number of ones: what an interval of the mean holds of it can be added up, and is 95 % but
    /// for the steps of 1/n and the noise of the draws. (An interval of 90 % holds 0.90, one of 99 % holds 0.99.)
    /// </summary>
    [Theory]
    [InlineData(400, 200)]
    [InlineData(400, 40)]
    [InlineData(1000, 700)]
    public void An_interval_called_95_percent_holds_95_percent_of_what_resampling_gives(int count, int ones)
    {
        double[] values = [.. Enumerable.Range(0, count).Select(i => i < ones ? 1.0 : 0.0)];
        var held = Enumerable
            .Range(0, 20)
            .Average(seed =>
            {
                var (low, high) = Bootstrap.Interval([values], seed);
                var (from, to) = ((int)Math.Round(low * count), (int)Math.Round(high * count));
                return Enumerable.Range(from, to - from + 1).Sum(k => Binomial(count, k, (double)ones / count));
            });
        Assert.InRange(held, 0.94, 0.975);
        var tails = Bootstrap.Interval([values]);
        Assert.Equal(tails.High + tails.Low, 2.0 * ones / count, 0.01); // as much above as below, where the distribution is nearly symmetric
    }

    /// <summary>The mean of two tasks varies less than either: its variance is a quarter of the sum.</summary>
    [Fact]
    public void An_interval_of_the_mean_of_tasks_is_that_of_their_sum()
    {
        double[] half = [.. Enumerable.Range(0, 300).Select(i => i % 2.0)];
        double[] rare = [.. Enumerable.Range(0, 300).Select(i => i % 10 == 0 ? 1.0 : 0.0)];
        var deviation = Math.Sqrt((0.25 / 300 + 0.09 / 300) / 4);
        var widths = Enumerable.Range(0, 20).Select(seed => Bootstrap.Interval([half, rare], seed)).Average(i => i.High - i.Low);
        Assert.Equal(2 * 1.96 * deviation, widths, 0.03 * widths); // 90 %: 0.84 of it
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
        var rows = ResultTable.Summarise([.. Enumerable.Range(0, 8).Select(i => One("multikey", i < 4, policy: "full", budget: null))]);
        Assert.Equal(["multikey"], SanityGates.LeftOut(rows));
        var without = ResultTable.Summarise(
            [.. Enumerable.Range(0, 8).Select(i => One("multikey", i < 4, policy: "full", budget: null))],
            excludedFromMean: SanityGates.LeftOut(rows)
        );
        Assert.Contains("full cache", Assert.Single(SanityGates.Refusals(without)));
    }

    /// <summary>Chance is known by what a policy does: no name hides it, and none makes another policy pass for it.</summary>
    [Theory]
    [InlineData("random")]
    [InlineData("random[seed=3]")]
    [InlineData("random[window=32,pool=max:3]")]
    [InlineData("noise")]
    public void Chance_is_known_by_its_method(string name)
    {
        PromptResult[] results =
        [
            .. Enumerable
                .Range(0, 20)
                .SelectMany(i =>
                    new[]
                    {
                        One("multikey", true, bytes: 100, policy: "full", budget: null),
                        One("multikey", true, bytes: 10, policy: name, method: "random"),
                        One("multikey", false, bytes: 10, policy: "random[seed=5]", method: "random"), // one draw of two is enough
                        One("multikey", false, bytes: 10, policy: "snapkv[window=4]", method: "snapkv"),
                        One("multikey", false, bytes: 10, policy: "random-like", method: "keynorm"),
                    }
                ),
        ];
        var refusals = SanityGates.Refusals(ResultTable.Summarise(results));
        Assert.Equal(2, refusals.Count);
        Assert.All(refusals, refusal => Assert.StartsWith($"{name} (1.000) beats ", refusal));
        Assert.Contains("snapkv[window=4] (0.000)", refusals[0]);
        Assert.Contains("random-like (0.000)", refusals[1]);
    }

    [Fact]
    public void Every_policy_of_a_comparison_says_its_method()
    {
        foreach (var method in Catalogue.Names.Except(["full", "lookahead", "speckv"]))
        {
            var policy = PolicyText.Parse($"{method}[pool=mean:3]").Build();
            Assert.Equal(method is "pyramidkv" or "adakv" ? "snapkv" : method, policy.Scorer!.Name);
        }
        Assert.Equal(RandomScore.Method.Name, PolicyText.Parse("random[seed=3,sinks=4]").Build().Scorer!.Name);
    }

    /// <summary>Of free texts, good models get a fraction: a task of one's own is not thrown out for that.</summary>
    [Theory]
    [InlineData("multikey", 0.75)]
    [InlineData("niah_single_1", 0.75)]
    [InlineData("qasper", 0.1)]
    [InlineData("html_to_tsv", 0.1)]
    [InlineData("questions.jsonl", 0.1)]
    public void What_the_full_cache_must_reach_is_the_tasks(string task, double least) =>
        Assert.Equal(least, SanityGates.LeastBaselineOf(task));

    /// <summary>Prompts without a known answer have costs and overlaps, and no score: they neither count as wrong nor as right.</summary>
    [Fact]
    public void Prompts_without_an_answer_have_no_score()
    {
        PromptResult unknown = One("q", true, overlap: 0.4) with { Score = null };
        var alone = ResultTable.Summarise([unknown, unknown with { OracleOverlap = 0.6 }]);
        Assert.All(alone, row => Assert.Equal((null, null, null), (row.Accuracy, row.Low, row.High)));
        Assert.All(alone, row => Assert.Equal(0.5, row.OracleOverlap, 12));
        Assert.Empty(SanityGates.LeftOut(alone));
        // Beside tasks with answers they change no accuracy.
        var mixed = ResultTable.Summarise([unknown, One("a", true), One("a", false), One("q", true)]);
        Assert.Equal(1.0, mixed.Single(row => row.Task == "q").Accuracy);
        Assert.Equal(0.75, mixed.Single(row => row.Task == ResultTable.Mean).Accuracy);
    }

    private static double Binomial(int n, int k, double p) =>
        Math.Exp(Enumerable.Range(1, k).Sum(i => Math.Log((double)(n - k + i) / i)) + k * Math.Log(p) + (n - k) * Math.Log(1 - p));

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
        string? budget = "64",
        string? method = null
    ) => new(task, 0, policy, method ?? policy, budget, "exact", correct ? 1 : 0, overlap, bytes, milliseconds);
}
