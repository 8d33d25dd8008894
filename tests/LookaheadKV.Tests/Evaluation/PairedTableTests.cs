using LookaheadKV.Evaluation;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>Policies against one of them: the same prompts, the same budget, every measure that both have.</summary>
public class PairedTableTests
{
    [Fact]
    public void Each_prompt_is_held_against_itself_at_the_same_budget()
    {
        // Prompts differ by tens, policies by tenths; the order of the results does not matter.
        var results = (
            from sample in Enumerable.Range(0, 20)
            from budget in (string[])["32", "64"]
            from policy in (string[])["a", "b"]
            select Result(sample, policy, budget, 10 * sample + (budget == "32" ? 5 : 0) + (policy == "b" ? 0.25 : 0))
        )
            .Reverse()
            .ToList();
        var rows = PairedTable.Against(results, "a");
        Assert.All(rows, row => Assert.Equal("b", row.Policy));
        Assert.Equal(2 * PairedTable.Measures.Count - 2, rows.Count); // without a right answer there is no score
        foreach (var row in rows.Where(row => row.Measure == "KL"))
        {
            Assert.Equal((0.25, 0.25, 0.25, 20), (row.Difference.Mean, row.Difference.Low, row.Difference.High, row.Difference.Prompts));
            Assert.Equal($"KL at {row.Budget}: b is above a, by +0.250 (+0.250 to +0.250) over 20 prompts.", row.Sentence);
        }
        Assert.Equal(
            [
                "KL at 32 against a, 20 prompts: above b +0.250 (+0.250 to +0.250).",
                "KL at 64 against a, 20 prompts: above b +0.250 (+0.250 to +0.250).",
            ],
            PairedTable.Summary(rows, "a", "KL").Order()
        );
    }

    [Fact]
    public void The_full_cache_is_held_against_every_budget()
    {
        List<PromptResult> results = [Result(0, "full", null, 0), Result(0, "b", "32", 2), Result(0, "b", "64", 1)];
        Assert.Equal([2.0, 1.0], PairedTable.Against(results, "full").Where(row => row.Measure == "KL").Select(row => row.Difference.Mean));
    }

    [Fact]
    public void What_one_of_them_has_not_is_left_out()
    {
        List<PromptResult> results =
        [
            Result(0, "a", "32", 1),
            Result(0, "b", "32", 2),
            Result(1, "a", "32", null),
            Result(1, "b", "32", 9),
            Result(2, "b", "32", 9),
        ];
        Assert.Equal(1, PairedTable.Against(results, "a").Single(row => row.Measure == "KL").Difference.Prompts);
        Assert.Contains("name one of a, b", Assert.Throws<InputException>(() => PairedTable.Against(results, "c")).Message);
    }

    [Fact]
    public void A_difference_is_settled_by_enough_prompts_and_an_interval_without_0()
    {
        const int Enough = 10;
        Assert.True(new PairedDifference(0.5, 0.1, 1, Enough).IsSettled);
        Assert.True(new PairedDifference(-0.5, -1, -0.1, Enough).IsSettled);
        Assert.False(new PairedDifference(0.5, 0, 1, Enough).IsSettled);
        Assert.False(new PairedDifference(-0.5, -1, 0, Enough).IsSettled);
        Assert.False(new PairedDifference(0.5, 0.1, 1, Enough - 1).IsSettled);
        Assert.Contains("settled by 1 prompt:", new PairedDifference(0.5, 0.1, 1, 1).Sentence("score", "a", "b"));
    }

    [Fact]
    public void A_mean_counts_prompts_alike_within_a_task_and_tasks_alike()
    {
        FidelityScores[][] groups =
        [
            [new(1, 1, 0, 0, 60), new(3, 0, 0, 0, 2)],
            [new(4, 1, 0, 0, 5)],
        ];
        Assert.Equal(new FidelityScores(3, 0.75, 0, 0, 67), FidelityScores.Mean([.. groups, [null]]));
        Assert.Null(
            FidelityScores.Mean([
                [null],
                [],
            ])
        );
    }

    private static PromptResult Result(int sample, string policy, string? budget, double? divergence) =>
        new("task", sample, policy, policy, budget, "score", null, 1, 1, 0, divergence is { } kl ? new(kl, kl, kl, kl, 3) : null);
}
