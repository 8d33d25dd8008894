using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Reports;
using LookaheadKV.Tests.Pretraining;
using MathNet.Numerics.Distributions;
using Xunit;

namespace LookaheadKV.Tests.Reports;

/// <summary>SQL over cells says what the merge says; what it cannot answer is one line.</summary>
public sealed class StudyQueryTests : IDisposable
{
    private static readonly Study Study = Study.Parse(
        """{"name": "s", "seeds": [0, 1, 2], "defaults": {"policies": ["snapkv", "random"]}, "grid": {"rank": [0, 2], "learningRate": [1, 0.002]}}"""
    );

    private readonly TemporaryFolder _place = new();
    private readonly StudyFolder _folder;

    public StudyQueryTests()
    {
        // A quote in the path must not end the SQL's text.
        _folder = new StudyFolder(_place["it's here"], "m");
        foreach (var (i, cell) in Study.Cells.Index())
            _folder.Write(cell, new CellResult(cell.Settings, cell.Seed, Measured(i), RunInfo.Of("lookahead", cell.Seed), 0));
    }

    public void Dispose() => _place.Dispose();

    // Whole numbers in some cells and broken ones in others; budgets of every kind are texts.
    private static IReadOnlyList<Measurement> Measured(int cell) =>
        [
            new("", "", "mean", "kl", cell % 3 == 0 ? 1 : 0.1 * cell),
            new("snapkv", "64", "single", "accuracy", Math.Sqrt(cell)),
            new("snapkv", "5%", "single", "accuracy", cell),
        ];

    private QueryTable Ask(string sql) => StudyQuery.run(sql, _folder, Study);

    private static IReadOnlyList<object?> Only(QueryTable table) => [.. Assert.Single(table.Rows)];

    [Fact]
    public void Means_and_intervals_are_those_of_the_merge()
    {
        var merged = StudyTable.Summarise([.. Study.Cells.Select(cell => (cell, _folder.Read(cell)))]);
        var asked = Ask(
            """
            select rank, learningRate, policy, budget, task, metric, count(*) as seeds, avg(value) as mean, stddev_samp(value) / sqrt(count(*)) as error
            from cells group by all order by all
            """
        );
        Assert.Equal(["rank", "learningRate", "policy", "budget", "task", "metric", "seeds", "mean", "error"], asked.Columns);
        Assert.Equal(merged.Count, asked.Rows.Length);
        foreach (var row in asked.Rows.Select(row => row.ToArray()))
        {
            var same = Assert.Single(
                merged,
                one =>
                    (one.Varied["rank"], one.Varied["learningRate"]) == (StudyQuery.text(row[0]), StudyQuery.text(row[1]))
                    && (one.Policy, one.Budget, one.Task, one.Metric)
                        == ((string)row[2]!, (string)row[3]!, (string)row[4]!, (string)row[5]!)
            );
            Assert.Equal((long)same.Seeds, row[6]);
            Assert.Equal(same.Mean, (double)row[7]!, 1e-12);
            Assert.Equal(same.High - same.Mean, StudentT.InvCDF(0, 1, same.Seeds - 1, 0.975) * (double)row[8]!, 1e-12);
        }
    }

    [Fact]
    public void Rows_come_cell_by_cell_as_they_were_measured()
    {
        var expected = Study.Cells.SelectMany((cell, i) => Measured(i).Select(m => (cell.Seed, m.Policy, m.Budget, m.Metric, m.Value)));
        var asked = Ask("select seed, policy, budget, metric, value from cells").Rows;
        Assert.Equal(expected, asked.Select(row => ((long)row[0]!, (string)row[1]!, (string)row[2]!, (string)row[3]!, (double)row[4]!)));
    }

    [Fact]
    public void Values_are_plain()
    {
        Assert.Equal(
            [36L, 0.5, 2.5, true, null, "snapkv random"],
            Only(Ask("select sum(1), 0.5::float, 2.5::decimal(4, 1), true, null, any_value(policies) from cells"))
        );
        Assert.Equal("a  b\n1", StudyQuery.show(Ask("select 1 as a, null as b")).ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("selec", "syntax error at or near \"selec\"")]
    [InlineData("select valu from cells", "Candidate bindings: \"value\"")]
    [InlineData("from cell", "Did you mean \"cells\"?")]
    [InlineData("select cast(policy as integer) from cells where policy = 'snapkv'", "snapkv")]
    [InlineData("", "empty")]
    public void A_query_that_cannot_be_answered_is_one_line(string sql, string said)
    {
        var error = Assert.Throws<InputException>(() => Ask(sql));
        Assert.Contains(said, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.DoesNotContain("LINE 1", error.Message);
    }
}
