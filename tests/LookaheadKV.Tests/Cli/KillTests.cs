using System.Diagnostics;
using System.Text.RegularExpressions;
using LookaheadKV.Checkpoints;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>
/// Real processes, killed at random points (SIGKILL) and started again by the same command, leave what one undisturbed process leaves, byte for
/// byte but for times. LOOKAHEADKV_KILLS says how often each is killed; the suite kills once.
/// </summary>
public sealed partial class KillTests : IDisposable
{
    private const string Variable = "LOOKAHEADKV_KILLS";
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable(Variable), out var kills) ? kills : 1;
    private static readonly string Small = Path.Combine(ModelFolders.Resolve("nano"), ModelFolders.DraftFolder);

    private readonly TemporaryFolder _folder = new();
    private readonly Random _random = new(Environment.TickCount);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_comparison_gives_the_file_of_an_undisturbed_one()
    {
        string[] command =
        [
            .. new[] { "compare", "--policies", "full,random,streaming,snapkv,lookahead,oracle", "--budgets", "32,64", "--length", "200" },
            .. new[] { "--tasks", "single,listall", "--samples", $"{4 * Kills}", "--device", "cpu", "--json", "c.json" },
        ];
        var pieces = await KilledAndWhole(command, "c.json.partial", most: 3);
        Assert.Equal(Untimed("whole", "c.json"), Untimed("killed", "c.json"));
        Assert.Contains("\"complete\": true", Untimed("killed", "c.json"));
        Assert.Equal(["c.json"], Names("killed"));
        Report("compare", pieces);
    }

    [Fact]
    public async Task A_training_gives_the_modules_of_an_undisturbed_one()
    {
        string[] command =
        [
            .. new[] { "train", "--model", Small, "--device", "cpu", "--lengths", "96", "--steps", $"{30 * Kills}", "--batch", "2" },
            .. new[] { "--tokens", "4", "--rank", "2", "--warm-up", "2", "--held-out", "2", "--recall-at", "16" },
            .. new[] { "--checkpoint-every", "1", "--out", "m", "--json", "t.json" },
        ];
        var pieces = await KilledAndWhole(command, "m/curve.jsonl", most: 3);
        foreach (var file in new[] { "m/adapter_model.safetensors", "m/adapter_config.json", "m/lookahead.json" })
            Assert.Equal(File.ReadAllBytes(_folder[$"whole/{file}"]), File.ReadAllBytes(_folder[$"killed/{file}"]));
        foreach (var file in new[] { "m/evaluation.json", "t.json" })
            Assert.Equal(Untimed("whole", file), Untimed("killed", file));
        Assert.Equal(Losses("whole"), Losses("killed"));
        Report("train", pieces);

        string[] Losses(string run) => [.. File.ReadLines(_folder[$"{run}/m/curve.jsonl"]).Select(line => Loss().Match(line).Value)];
    }

    [Fact]
    public async Task A_study_gives_the_table_of_an_undisturbed_one()
    {
        foreach (var run in new[] { "whole", "killed" })
        {
            Directory.CreateDirectory(_folder[run]);
            File.WriteAllText(
                _folder[$"{run}/s.json"],
                $$"""
                {"name": "s", "model": "{{Small.Replace("\\", "/")}}", "seeds": [{{string.Join(
                    ',',
                    Enumerable.Range(0, 5 * Kills)
                )}}], "grid": {"rank": [0, 2]},
                 "defaults": {"tokens": 4, "steps": 1, "batch": 2, "trainLength": 96, "length": 128, "samples": 1, "tasks": ["single"], "budgets": ["16"], "recallAt": [16]} }
                """
            );
        }
        var pieces = await KilledAndWhole(["ablate", "--study", "s.json", "--device", "cpu", "--json", "a.json"], "s/cells", most: 3);
        Assert.Equal(File.ReadAllBytes(_folder["whole/s/table.csv"]), File.ReadAllBytes(_folder["killed/s/table.csv"]));
        Assert.Equal(Untimed("whole", "a.json"), Untimed("killed", "a.json"));
        Assert.Equal(Names("whole"), Names("killed"));
        foreach (var cell in Directory.EnumerateFiles(_folder["whole/s/cells"]).Select(Path.GetFileName))
            Assert.Equal(Untimed("whole", $"s/cells/{cell}"), Untimed("killed", $"s/cells/{cell}"));
        Report("ablate", pieces);
    }

    /// <summary>Runs a command to its end in one folder; in another kills it, again and again, when a few more units are done; how many were each time.</summary>
    private async Task<IReadOnlyList<int>> KilledAndWhole(string[] command, string units, int most)
    {
        Directory.CreateDirectory(_folder["whole"]);
        Directory.CreateDirectory(_folder["killed"]);
        await ToTheEnd("whole");
        var pieces = new List<int>();
        while (pieces.Count < Kills)
        {
            var wanted = Done() + _random.Next(most);
            using var run = Start("killed");
            // Before the first unit, in the middle of one, or in that of writing one.
            while (!run.HasExited && Done() < wanted)
                await Task.Delay(1, TestContext.Current.CancellationToken);
            await Task.Delay(_random.Next(wanted == Done() ? 900 : 30), TestContext.Current.CancellationToken);
            if (run.HasExited)
                break; // all is done: a busy machine looked too late
            run.Kill();
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            pieces.Add(Done());
        }
        Assert.NotEmpty(pieces);
        await ToTheEnd("killed");
        return pieces;

        int Done()
        {
            var path = _folder[$"killed/{units}"];
            return Directory.Exists(path) ? Directory.GetFiles(path, "*.json").Length
                : !File.Exists(path) ? 0
                : Lines(path);
        }

        async Task ToTheEnd(string folder)
        {
            using var run = Start(folder);
            var error = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(run.ExitCode is 0 or 3, error);
        }

        Process Start(string folder)
        {
            var program = Path.Combine(AppContext.BaseDirectory, "lookahead.dll");
            var start = new ProcessStartInfo("dotnet", [program, .. command])
            {
                WorkingDirectory = _folder[folder],
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["OMP_NUM_THREADS"] = "1";
            var run = Process.Start(start)!;
            run.OutputDataReceived += static (_, _) => { };
            run.BeginOutputReadLine();
            return run;
        }
    }

    // The command holds its file so that no second one goes on with it; to count is no such thing.
    private static int Lines(string path)
    {
        var copy = path + ".copy";
        using (var cp = Process.Start("cp", [path, copy]))
            cp.WaitForExit();
        var lines = File.ReadAllBytes(copy).Count(b => b == '\n');
        File.Delete(copy);
        return lines;
    }

    private string Untimed(string run, string file) => Time().Replace(File.ReadAllText(_folder[$"{run}/{file}"]), "");

    private string[] Names(string run) =>
        [
            .. Directory
                .EnumerateFiles(_folder[run], "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(_folder[run], path))
                .Order(StringComparer.Ordinal),
        ];

    private static void Report(string verb, IReadOnlyList<int> pieces) =>
        TestContext.Current.SendDiagnosticMessage($"{verb}: killed {pieces.Count} times, with {string.Join(", ", pieces)} units done");

    [GeneratedRegex("\"(evictionMs|seconds|lastStep)\": *([^,}{\\n]+|\\{[^}]*\\})")]
    private static partial Regex Time();

    [GeneratedRegex("\"Loss\":[^,]*")]
    private static partial Regex Loss();
}
