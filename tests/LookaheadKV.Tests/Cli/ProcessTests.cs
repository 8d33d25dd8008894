using System.Diagnostics;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>The real program: exit codes, streams, Ctrl+C.</summary>
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
    public async Task Ctrl_C_ends_a_comparison_with_one_line_and_no_file()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "signals are sent with kill");
        using var folder = new TemporaryFolder();
        using var run = Start(
            "compare",
            "--policies",
            "random",
            "--length",
            "256",
            "--samples",
            "100000",
            "--device",
            "cpu",
            "--json",
            folder["c.json"]
        );
        while (await run.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line && !line.StartsWith("prompt 1/"))
        { }
        Process.Start("kill", ["-INT", run.Id.ToString()]).WaitForExit();
        var rest = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        await rest;
        Assert.Equal((1, "cancelled."), (run.ExitCode, error.Trim()));
        Assert.Empty(Directory.EnumerateFiles(folder.Path));
    }
}
