using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Tests.Pretraining;
using MathNet.Numerics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Studies;

/// <summary>Study files become cells; cells become tables.</summary>
public sealed class StudyTests
{
    private const string Grid = """
        {"name": "s", "seeds": [3, 4], "defaults": {"steps": 7, "rank": 2},
         "variants": [{"tokens": 4}, {"tokens": 8, "rank": 0}], "grid": {"rank": [1, 2], "batch": [5]}}
        """;

    [Fact]
    public void A_grid_is_every_variant_with_every_combination_and_seed()
    {
        // The second variant names a rank, which beats the grid's: its two combinations would be one.
        Assert.Contains("the same", Assert.Throws<InputException>(() => Study.Parse(Grid)).Message);
        var study = Study.Parse(Grid.Replace(", \"rank\": 0", ""));
        Assert.Equal("nano", study.Model);
        Assert.Equal(
            [(3, 4, 1), (3, 4, 2), (3, 8, 1), (3, 8, 2), (4, 4, 1), (4, 4, 2), (4, 8, 1), (4, 8, 2)],
            study.Cells.Select(c => ((int)c.Seed, c.Settings.Tokens, c.Settings.Rank))
        );
        Assert.All(study.Cells, c => Assert.Equal((7, 5), (c.Settings.Steps, c.Settings.Batch)));
        Assert.Equal("rank 1, batch 5, tokens 4", StudyTable.Label(study.Cells[0].Varied));
    }

    [Fact]
    public void A_key_is_made_of_settings_seed_and_model_and_of_nothing_else()
    {
        var cells = Study.Parse(Grid.Replace(", \"rank\": 0", "")).Cells;
        Assert.Equal(cells.Count, cells.Select(c => c.Key("m")).Distinct().Count());
        Assert.NotEqual(cells[0].Key("m"), cells[0].Key("other"));
        var same = Study.Parse("""{"name": "t", "seeds": [3], "defaults": {"batch": 5, "steps": 7, "rank": 1, "tokens": 4}}""").Cells[0];
        Assert.Equal(cells[0].Key("m"), same.Key("m"));
    }

    [Theory]
    [InlineData("""{"seeds": [0]}""", "name")]
    [InlineData("""{"name": "s", "seeds": []}""", "seeds")]
    [InlineData("""{"name": "s", "seeds": [1, 1]}""", "seeds")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"ranks": 4}}""", "ranks")]
    [InlineData("""{"name": "s", "seeds": [0], "grid": {"rank": [-1]}}""", "rank")]
    [InlineData("""{"name": "s", "seeds": [0], "grid": {"steps": [0]}}""", "steps")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"tasks": ["nonsense"]}}""", "nonsense")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"policies": ["nonsense"]}}""", "nonsense")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"budgets": ["-3"]}}""", "-3")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"modules": "none"}}""", "modules")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"trained": "lora", "rank": 0}}""", "rank")]
    [InlineData("""{"name": "s", "seeds": [0], "defaults": {"responses": "given", "temperature": 1}}""", "temperature")]
    public void What_cannot_be_run_is_refused_by_name(string json, string named)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, json);
        var message = Assert.Throws<InputException>(() => Study.Read(file)).Message;
        Assert.StartsWith(file, message);
        Assert.Contains(named, message);
        File.Delete(file);
    }

    [Fact]
    public void A_mean_over_seeds_has_the_interval_of_Students_t()
    {
        var cells = Study.Parse("""{"name": "s", "seeds": [0, 1, 2], "grid": {"rank": [1, 2]}}""").Cells;
        double[] values = [1, 2, 6];
        var rows = StudyTable.Summarise([.. cells.Select(c => (c, Result(c, values[c.Seed] * c.Settings.Rank)))]);
        Assert.Equal(2, rows.Count);
        // Standard deviation √7, t = 4.302653 at two degrees of freedom.
        var half = 4.302653 * Math.Sqrt(7) / Math.Sqrt(3);
        Assert.Equal((3, 3.0), (rows[0].Seeds, rows[0].Mean));
        Assert.Equal(3 - half, rows[0].Low, 5);
        Assert.Equal(6 + 2 * half, rows[1].High, 5);
    }

    [Fact]
    public void The_table_has_a_line_a_number()
    {
        var cells = Study
            .Parse("""{"name": "s", "seeds": [0], "grid": {"policies": [["snapkv", "lookahead[window=8,pool=none]"]]}}""")
            .Cells;
        var csv = StudyTable.Csv([.. cells.Select(c => (c, Result(c, 0.1)))]);
        Assert.Equal("policies,seed,policy,budget,task,metric,value\n\"snapkv lookahead[window=8,pool=none]\",0,,,mean,kl,0.1\n", csv);
    }

    [Fact]
    public void A_result_that_is_there_stays()
    {
        using var place = new TemporaryFolder();
        var folder = new StudyFolder(place.Path, "m");
        var cell = Study.Parse("""{"name": "s", "seeds": [0]}""").Cells[0];
        Assert.False(folder.Has(cell));
        folder.Write(cell, Result(cell, 0.1));
        folder.Write(cell, Result(cell, 0.2));
        Assert.Equal(0.1, folder.Read(cell).Measurements[0].Value);
    }

    // Tables of the t distribution.
    [Theory]
    [InlineData(1, 12.7062)]
    [InlineData(2, 4.30265)]
    [InlineData(4, 2.77645)]
    [InlineData(9, 2.26216)]
    [InlineData(30, 2.04227)]
    [InlineData(1000, 1.96234)]
    public void An_interval_is_as_many_standard_errors_as_Students_t_has_in_tables(int degrees, double value) =>
        Assert.Equal(value, StandardErrors(degrees), value * 1e-4);

    [Fact]
    public void An_interval_leaves_out_a_fortieth_of_Students_t_on_either_side()
    {
        foreach (var degrees in Enumerable.Range(1, 40))
        {
            // t = √ν·tan θ turns the density into cos^(ν−1) θ on (−π/2, π/2).
            var angle = Math.Atan(StandardErrors(degrees) / Math.Sqrt(degrees));
            double Within(double end) => Integrate.GaussLegendre(theta => Math.Pow(Math.Cos(theta), degrees - 1), 0, end, 128);
            Assert.Equal(0.95, Within(angle) / Within(Math.PI / 2), 1e-11);
        }
    }

    /// <summary>Half of the interval of some seeds' values, in standard errors of their mean.</summary>
    private static double StandardErrors(int degrees)
    {
        var cell = Assert.Single(Study.Parse("""{"name": "s", "seeds": [0]}""").Cells);
        double[] values = [.. Enumerable.Range(0, degrees + 1).Select(i => (double)i)];
        var row = Assert.Single(StudyTable.Summarise([.. values.Select(value => (cell, Result(cell, value)))]));
        Assert.Equal(row.Mean - row.Low, row.High - row.Mean, 1e-9);
        // The variance of 0 … n-1 is n(n+1)/12.
        return (row.High - row.Mean) / Math.Sqrt((values.Length + 1) / 12.0);
    }

    private static CellResult Result(StudyCell cell, double value) =>
        new(cell.Settings, cell.Seed, [new Measurement("", "", "mean", "kl", value)], RunInfo.Of("lookahead", cell.Seed), 0);
}
