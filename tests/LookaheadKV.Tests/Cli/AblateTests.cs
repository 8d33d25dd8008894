using System.Text.Json;
using LookaheadKV.Checkpoints;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>A study in shards, killed and resumed, merges into the table of one process.</summary>
public sealed class AblateTests : IDisposable
{
    // Four cells without training.
    private const string Quick = """
        {"name": "s", "seeds": [0, 1], "grid": {"samples": [1, 2]},
         "defaults": {"modules": "none", "policies": ["random"], "budgets": ["16"], "tasks": ["single"], "length": 128}}
        """;

    private readonly Bench _bench = new();

    public AblateTests()
    {
        var draft = Path.Combine(ModelFolders.Resolve("nano"), ModelFolders.DraftFolder).Replace("\\", "/");
        _bench.Write(
            "s.json",
            $$"""
            {"name": "s", "model": "{{draft}}", "seeds": [0, 1], "grid": {"rank": [0, 2]},
             "defaults": {"tokens": 4, "steps": 2, "batch": 2, "trainLength": 96, "length": 128, "samples": 1, "tasks": ["single"], "budgets": ["16"], "recallAt": [16]}
            }
            """
        );
    }

    public void Dispose() => _bench.Dispose();

    private Task<Ran> Ablate(string folder, params string[] more) =>
        _bench.Run(["ablate", "--study", "{s.json}", "--device", "cpu", "--out", _bench[folder], .. more]);

    private string Table(string folder) => File.ReadAllText(Path.Combine(_bench[folder], "table.csv"));

    private string[] Cells(string folder) => Directory.GetFiles(Path.Combine(_bench[folder], "cells"));

    [Fact]
    public async Task Shards_a_lost_cell_and_one_process_make_the_same_table()
    {
        Assert.Equal((0, ""), ((await Ablate("one")) is var one ? (one.ExitCode, one.Error) : default));
        Assert.Equal(4, Cells("one").Length);
        Assert.Equal(1 + 4 * 13, Table("one").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        Assert.Equal(0, (await Ablate("parts", "--shard", "2/3")).ExitCode);
        Assert.Single(Cells("parts"));
        var early = await Ablate("parts", "--merge");
        Assert.Equal(1, early.ExitCode);
        Assert.Contains(
            "3 of 4 cells are missing, the first with rank 0, seed 0; run the study again for them (numbers 1,3,4)",
            early.Error
        );
        foreach (var shard in new[] { "3/3", "1/3" })
            Assert.Equal(0, (await Ablate("parts", "--shard", shard)).ExitCode);
        Assert.Equal(Table("one"), Table("parts"));

        var kept = Cells("parts").Order().Select(File.GetLastWriteTimeUtc).ToArray();
        var lost = Cells("parts").Order().First();
        File.Delete(lost);
        var resumed = await Ablate("parts");
        Assert.Contains("4 cells; 1 to run", resumed.Output);
        Assert.Equal(Table("one"), Table("parts"));
        Assert.Equal(kept.Skip(1), Cells("parts").Order().Skip(1).Select(File.GetLastWriteTimeUtc));
    }

    [Fact]
    public async Task A_merge_sweeps_what_killed_runs_left()
    {
        _bench.Write("s.json", Quick);
        await Ablate("killed");
        string[] results = [.. Cells("killed"), Path.Combine(_bench["killed"], "table.csv")];
        foreach (var file in results)
            File.WriteAllText($"{file}.{Guid.NewGuid():N}.tmp", "{");
        Assert.Equal(0, (await Ablate("killed", "--merge")).ExitCode);
        Assert.Equal(results.Order(), _bench.Files.Where(file => file.StartsWith(_bench["killed"])));
    }

    // Settings, seed and what was measured, a row a number, of the results that are there.
    [Fact]
    public async Task A_query_sees_every_number_and_runs_nothing()
    {
        _bench.Write("s.json", Quick);
        await Ablate("asked");
        var all = await Ablate(
            "asked",
            "--query",
            "select samples, seed, policy, budget, task, metric, value from cells",
            "--json",
            "{q.json}"
        );
        Assert.Equal((0, ""), (all.ExitCode, all.Error));
        var asked = _bench.Json("q.json");
        Assert.Equal("samples,seed,policy,budget,task,metric,value", Line(asked.GetProperty("columns")));
        Assert.Equal(
            Table("asked").Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1),
            asked.GetProperty("rows").EnumerateArray().Select(Line)
        );

        var file = Cells("asked").Order().First();
        File.Delete(file);
        var less = await Ablate(
            "asked",
            "--query",
            "select count(distinct (samples, seed)) as there, any_value(tasks) as tasks from cells"
        );
        Assert.Equal((0, "there   tasks\n3      single\n"), (less.ExitCode, less.Output.ReplaceLineEndings("\n")));
        Assert.False(File.Exists(file));

        File.WriteAllText(file, "{");
        var broken = await Ablate("asked", "--query", "from cells");
        Assert.Equal(1, broken.ExitCode);
        Assert.Contains(file, broken.Error);

        static string Line(JsonElement array) => string.Join(',', array.EnumerateArray().Select(value => value.ToString()));
    }

    [Fact]
    public async Task A_study_without_results_cannot_be_asked()
    {
        var ran = await Ablate("nothing", "--query", "from cells");
        Assert.Equal((1, "no cell of the study s has a result yet; run it first."), (ran.ExitCode, ran.Error.Trim()));
        Assert.False(Directory.Exists(_bench["nothing"]));
    }

    [Theory]
    [InlineData("--merge")]
    [InlineData("--shard", "1/2")]
    public async Task A_query_goes_with_nothing_that_runs(params string[] other)
    {
        var ran = await Ablate("none", ["--query", "from cells", .. other]);
        Assert.Equal(2, ran.ExitCode);
        Assert.Contains($"leave {other[0]} out", ran.Error);
    }

    [Theory]
    [InlineData("0/3")]
    [InlineData("4/3")]
    [InlineData("a/b")]
    public async Task A_shard_that_is_none_is_a_usage_error(string shard)
    {
        var ran = await Ablate("none", "--shard", shard);
        Assert.Equal(2, ran.ExitCode);
        Assert.Contains(shard, ran.Error);
    }

    [Fact]
    public async Task Half_a_result_is_named()
    {
        await Ablate("broken");
        var file = Cells("broken").Order().First();
        File.WriteAllText(file, "{");
        var ran = await Ablate("broken");
        Assert.Equal(1, ran.ExitCode);
        Assert.Contains(file, ran.Error);
    }
}
