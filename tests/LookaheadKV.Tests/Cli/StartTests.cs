using System.Diagnostics;
using System.Text.Json;
using LookaheadKV.Runtime;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>What a verb needs is loaded when it runs, and nothing else is.</summary>
public sealed class StartTests : IDisposable
{
    // More than a pipe holds, so that the program still writes when its first character is read.
    private const int Repetitions = 40_000;

    private static readonly string Words = string.Concat(Enumerable.Repeat("the amber vault ", Repetitions));

    // Of tensors, of figures, of queries, and F#'s own.
    private static readonly string[] Heavy = ["torch", "gomp", "Plotly", "DuckDB", "FSharp", "MathNet"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tokenize --texts texts.json --out -")]
    [InlineData("render --messages messages.json --template template.jinja")]
    [InlineData("tasks --task single --samples 200 --length 512 --out -")]
    public async Task A_verb_without_tensors_loads_neither_libtorch_nor_figures_nor_queries(string line)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "what a process has loaded is read from /proc");
        File.WriteAllText(_folder["texts.json"], JsonSerializer.Serialize(new[] { Words }));
        File.WriteAllText(_folder["messages.json"], JsonSerializer.Serialize(new[] { new { role = "user", content = Words } }));
        File.WriteAllText(_folder["template.jinja"], "{{ messages[0].content }}");
        using var run = Start(line);
        Assert.NotEqual(-1, run.StandardOutput.Read());
        var loaded = Loaded(run);
        await Ended(run);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("lookahead.dll", loaded);
        Assert.Contains("System.CommandLine.dll", loaded);
        // TorchSharp's own assembly declares the types of options; it computes nothing.
        Assert.DoesNotContain(
            loaded,
            file => file != "TorchSharp.dll" && Heavy.Any(name => file.Contains(name, StringComparison.OrdinalIgnoreCase))
        );
    }

    [Fact]
    public async Task A_verb_with_tensors_says_in_one_line_that_there_is_no_libtorch_and_others_do_without()
    {
        File.WriteAllText(_folder["texts.json"], """["the"]""");
        using var generate = Start("generate --policy full --prompt the", (NativeLibraries.FolderVariable, _folder.Path));
        using var tokenize = Start("tokenize --texts texts.json --out -", (NativeLibraries.FolderVariable, _folder.Path));
        Assert.Equal(
            $"LOOKAHEADKV_LIBTORCH is '{_folder.Path}', which holds no {NativeFolders.FileName("torch_cpu")}; set it to a folder with libtorch, "
                + "such as the torch/lib of a PyTorch install, or unset it.",
            (await Ended(generate)).Trim()
        );
        await Ended(tokenize);
        Assert.Equal((1, 0), (generate.ExitCode, tokenize.ExitCode));
    }

    private Process Start(string line, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "lookahead.dll"), .. line.Split(' ')])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.Path,
        };
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>File names of all that a process has mapped.</summary>
    private static IReadOnlySet<string> Loaded(Process run) =>
        File.ReadLines($"/proc/{run.Id}/maps").Where(line => line.Contains('/')).Select(line => Path.GetFileName(line)).ToHashSet();

    /// <summary>Reads what is left of the output; what the program said on its error stream.</summary>
    private static async Task<string> Ended(Process run)
    {
        var rest = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await rest;
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        return error;
    }
}
