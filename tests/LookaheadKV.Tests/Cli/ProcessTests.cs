using System.Diagnostics;
using System.Text.Json;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>The real program: exit codes, streams, signals.</summary>
public class ProcessTests
{
    private static Process Start(params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "lookahead.dll");
        return Process.Start(
            new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
    }

    [Fact]
    public async Task Tells_success_and_usage_errors_by_exit_code_and_stream()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["texts.json"], """["The amber vault."]""");
        using var good = Start("tokenize", "--texts", folder["texts.json"], "--out", folder["ids.json"]);
        using var bad = Start("tokenize", "--texts", folder["texts.json"], "--whatever");
        var error = await bad.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Task.WhenAll(
            good.WaitForExitAsync(TestContext.Current.CancellationToken),
            bad.WaitForExitAsync(TestContext.Current.CancellationToken)
        );
        Assert.Equal((0, 2), (good.ExitCode, bad.ExitCode));
        Assert.StartsWith("[[", File.ReadAllText(folder["ids.json"]));
        Assert.Single(error.Trim().Split('\n'));
    }

    [Fact]
    public async Task A_signal_ends_a_comparison_with_how_to_go_on_and_what_is_done_stays()
    {
        using var folder = new TemporaryFolder();
        string[] command = ["compare", "--policies", "random", "--length", "256", "--samples", "100000", "--device", "cpu", "--restart"];
        using var run = Start([.. command, "--json", folder["c.json"]]);
        // Not Ctrl-C's SIGINT: where that is ignored, as behind nohup, it would never come.
        var goOn = $"cancelled; go on with: lookahead {string.Join(' ', command[..^1])} --json {folder["c.json"]}";
        Assert.Equal((130, goOn), await Stopped(run, "-TERM", line => line.StartsWith("prompt 1/")));
        Assert.Equal([folder["c.json"], folder["c.json.partial"]], Directory.EnumerateFiles(folder.Path).Order());
        using (var json = JsonDocument.Parse(File.ReadAllText(folder["c.json"])))
        {
            Assert.False(json.RootElement.GetProperty("complete").GetBoolean());
            var prompts = json.RootElement.GetProperty("prompts").GetInt32();
            Assert.InRange(prompts, 1, 100_000);
            Assert.Equal(prompts + 1, File.ReadLines(folder["c.json.partial"]).Count());
        }

        using var none = Start(command);
        var (code, error) = await Stopped(none, "-TERM", line => line.StartsWith("prompt 1/"));
        Assert.Equal(130, code);
        Assert.StartsWith("cancelled; nothing is kept", error);
    }

    // What Slurm sends to a job that is cancelled or out of time.
    [Fact]
    public async Task A_terminated_study_keeps_its_finished_cells_and_nothing_of_the_one_at_work()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["s.json"],
            """
            {"name": "s", "seeds": [0],
             "defaults": {"modules": "none", "policies": ["random"], "budgets": ["16"], "tasks": ["single"], "length": 128},
             "grid": {"samples": [1, 100000]}}
            """
        );
        using var run = Start("ablate", "--study", folder["s.json"], "--device", "cpu");
        var goOn = $"cancelled; go on with: lookahead ablate --study {folder["s.json"]} --device cpu";
        Assert.Equal((130, goOn), await Stopped(run, "-TERM", line => line.StartsWith("cell 1/2 samples 100000, seed 0: answer")));
        var left = Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories).Order().ToArray();
        Assert.Equal(2, left.Length);
        Assert.Equal(folder["s.json"], left[0]);
        Assert.EndsWith(".json", left[1]);
    }

    /// <summary>Sends the signal when the program writes the line; its exit code and what it says on its error stream.</summary>
    private static async Task<(int, string)> Stopped(Process run, string signal, Predicate<string> at)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "signals are sent with kill");
        while (await run.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line && !at(line)) { }
        Process.Start("kill", [signal, run.Id.ToString()]).WaitForExit();
        var rest = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        await rest;
        return (run.ExitCode, error.Trim());
    }
}
