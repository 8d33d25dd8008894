using System.Diagnostics;
using LookaheadKV.Cli.Common;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>
/// The real program where files cannot grow, as on a full disk, or nobody reads what it says: one line, nothing half-written, and with room the same
/// command ends well.
/// </summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tasks --samples 50 --out {f}/tasks.jsonl")]
    [InlineData("keep --policy random --budget 900 --ids {f}/ids.json --out {f}/kept.json")]
    [InlineData("logits --ids {f}/ids.json --out {f}/logits.safetensors")]
    [InlineData("bench --lengths 32 --decode 2 --policies full --runs 1 --report {f}/report")]
    public async Task A_file_that_cannot_be_written_whole_is_not_there(string command)
    {
        File.WriteAllText(_folder["ids.json"], $"[{string.Join(',', Enumerable.Range(0, 1000).Select(i => 10 + i % 500))}]");
        var (code, error) = await Run(command, kilobytes: 8);
        Assert.Equal((ExitCode.Failed, 1), (code, error.Split('\n').Length));
        Assert.Matches(
            @"^cannot write \S+ \(it is too long for its file system, or for a limit on files\); name a file elsewhere\.$",
            error
        );
        Assert.Equal([_folder["ids.json"]], Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories));
    }

    // The log of results breaks off at whatever byte there is no room for.
    [Fact]
    public async Task A_comparison_without_room_keeps_whole_prompts_and_goes_on_when_there_is_some()
    {
        const string Command = "compare --policies random --budgets 16 --tasks single --length 128 --samples 6 --json {f}/c.json";
        var (code, error) = await Run(Command, kilobytes: 2);
        Assert.Equal(ExitCode.Failed, code);
        Assert.StartsWith($"cannot write {_folder["c.json"]}", error);
        var kept = await File.ReadAllTextAsync(_folder["c.json.partial"], TestContext.Current.CancellationToken);
        Assert.EndsWith("\n", kept);
        Assert.InRange(kept.Length, 500, 2048);

        Assert.Equal((ExitCode.Done, ""), await Run(Command));
        Assert.Equal([_folder["c.json"]], Directory.EnumerateFiles(_folder.Path));
    }

    [Theory]
    [InlineData("tokenize --texts {f}/texts.json --out -")]
    [InlineData("render --help")]
    public async Task Standard_output_without_room_is_one_line(string command)
    {
        File.WriteAllText(_folder["texts.json"], """["The amber vault."]""");
        var (code, error) = await Run($"{command} > /dev/full");
        Assert.Equal((ExitCode.Failed, 1), (code, error.Split('\n').Length));
        Assert.StartsWith("cannot write to standard output", error);
    }

    [Fact]
    public async Task A_reader_that_has_seen_enough_ends_it_quietly()
    {
        var (_, error) = await Run("tasks --samples 200 --out - | head -c 100 > /dev/null");
        Assert.Matches(@"^\d+ prompts → standard output$", error);
    }

    private async Task<(int Code, string Error)> Run(string command, int? kilobytes = null)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists("/bin/bash"), "limits are those of bash on Linux");
        var limit = kilobytes is { } most ? $"trap '' XFSZ; ulimit -f {most}; " : "";
        var program = Path.Combine(AppContext.BaseDirectory, "lookahead.dll");
        var start = new ProcessStartInfo("/bin/bash", ["-c", $"{limit}dotnet '{program}' {command.Replace("{f}", _folder.Path)}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0"; // it would make a great file of its own
        using var run = Process.Start(start)!;
        var error = run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (run.ExitCode, (await error).Trim());
    }
}
