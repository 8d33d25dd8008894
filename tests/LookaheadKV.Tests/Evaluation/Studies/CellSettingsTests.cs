using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Training;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Studies;

/// <summary>What a cell may say, down to the border of each range; where results lie.</summary>
public sealed class CellSettingsTests
{
    private static readonly CellSettings Least = new()
    {
        Steps = 1,
        Batch = 1,
        TrainLength = 1,
        Length = 1,
        Samples = 1,
        Tokens = 1,
        Rank = 1,
        Alpha = 1e-9,
        LearningRate = 1e-9,
        RecallAt = [1],
    };

    [Fact]
    public void The_least_of_everything_is_allowed_and_so_are_no_recalls()
    {
        Least.Check();
        (Least with { RecallAt = [], Rank = 0, Temperature = 3 }).Check();
        (Least with { Responses = ResponseSource.Given, Temperature = 0 }).Check();
        (Least with { Trained = TrainedPart.Lora }).Check();
        (Least with { Modules = ModuleSource.None, Policies = ["snapkv", "full"] }).Check();
        (Least with { Modules = ModuleSource.Shipped }).Check();
    }

    public static TheoryData<string> Settings() =>
        [
            "steps",
            "batch",
            "trainLength",
            "length",
            "samples",
            "policies",
            "budgets",
            "tasks",
            "learning rate",
            "alpha",
            "temperature",
            "recallAt",
        ];

    [Theory]
    [MemberData(nameof(Settings))]
    public void One_less_is_refused_by_name(string name)
    {
        var wrong = name switch
        {
            "steps" => Least with { Steps = 0 },
            "batch" => Least with { Batch = 0 },
            "trainLength" => Least with { TrainLength = 0 },
            "length" => Least with { Length = 0 },
            "samples" => Least with { Samples = 0 },
            "policies" => Least with { Policies = [] },
            "budgets" => Least with { Budgets = [] },
            "tasks" => Least with { Tasks = [] },
            "learning rate" => Least with { LearningRate = 0 },
            "alpha" => Least with { Alpha = 0 },
            "temperature" => Least with { Temperature = -0.1 },
            _ => Least with { RecallAt = [1, 0] },
        };
        Assert.Contains(name, Assert.Throws<InputException>(wrong.Check).Message);
    }

    [Theory]
    [InlineData(double.NaN)]
    public void What_is_no_number_is_in_no_range(double value)
    {
        Assert.Throws<InputException>((Least with { LearningRate = value }).Check);
        Assert.Throws<InputException>((Least with { Alpha = value }).Check);
        Assert.Throws<InputException>((Least with { Temperature = value }).Check);
    }

    [Fact]
    public void Results_lie_under_their_key_and_tables_beside_them()
    {
        using var place = new TemporaryFolder();
        var folder = new StudyFolder(place.Path, "m");
        var cell = Study.Parse("""{"name": "s", "seeds": [7]}""").Cells[0];
        Assert.Equal(Path.Combine(place.Path, "cells", $"{cell.Key("m")}.json"), folder.FileOf(cell));
        Assert.Matches("^[0-9a-f]{20}$", cell.Key("m"));
        folder.Write(cell, new CellResult(cell.Settings, 7, [], LookaheadKV.Evaluation.RunInfo.Of("c", 7), 0.5));
        Assert.True(folder.Has(cell));
        // Indented, for people, and one last line break.
        Assert.EndsWith("\n}\n", File.ReadAllText(folder.FileOf(cell)));
        // What a killed run leaves beside files that are there goes when the table is written.
        foreach (var left in new[] { folder.FileOf(cell), Path.Combine(place.Path, "table.csv") })
            File.WriteAllText($"{left}.{Guid.NewGuid():N}.tmp", "half");
        Assert.Equal(Path.Combine(place.Path, "table.csv"), folder.WriteTable("a\n"));
        Assert.Equal("a\n", File.ReadAllText(Path.Combine(place.Path, "table.csv")));
        Assert.Empty(Directory.GetFiles(place.Path, "*.tmp", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{")]
    public void What_is_no_result_is_named(string text)
    {
        using var place = new TemporaryFolder();
        var folder = new StudyFolder(place.Path, "m");
        var cell = Study.Parse("""{"name": "s", "seeds": [7]}""").Cells[0];
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => folder.Read(cell)).Message);
        Directory.CreateDirectory(place["cells"]);
        File.WriteAllText(folder.FileOf(cell), text);
        var message = Assert.Throws<InputException>(() => folder.Read(cell)).Message;
        Assert.StartsWith($"{folder.FileOf(cell)}: ", message);
        Assert.Single(message.Split('\n'));
    }

    [Fact]
    public void A_file_that_is_not_there_or_is_no_study_is_named()
    {
        using var place = new TemporaryFolder();
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => Study.Read(place["none.json"])).Message);
        File.WriteAllText(place["broken.json"], "{\"name\": ");
        Assert.StartsWith(place["broken.json"], Assert.Throws<InputException>(() => Study.Read(place["broken.json"])).Message);
        Assert.Contains("null is not a study", Assert.Throws<InputException>(() => Study.Parse("null")).Message);
        Assert.Equal("other", Study.Parse("""{"name": "s", "seeds": [1], "model": "other"}""").Model);
    }

    [Fact]
    public void One_seed_has_no_interval()
    {
        var cell = Study.Parse("""{"name": "s", "seeds": [0]}""").Cells[0];
        var result = new CellResult(cell.Settings, 0, [new("p", "5", "t", "m", 2)], LookaheadKV.Evaluation.RunInfo.Of("c", 0), 0);
        var row = Assert.Single(StudyTable.Summarise([(cell, result)]));
        Assert.Equal((1, 2.0, 2.0, 2.0), (row.Seeds, row.Mean, row.Low, row.High));
        Assert.Equal(("p", "5", "t", "m"), (row.Policy, row.Budget, row.Task, row.Metric));
    }
}
