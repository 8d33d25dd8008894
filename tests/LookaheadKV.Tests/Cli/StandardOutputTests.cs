using System.Text.Json;
using LookaheadKV.Cli;
using LookaheadKV.Runtime;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>A dash is standard output: it then holds the file and nothing else, and all that is shown goes to standard error.</summary>
public sealed class StandardOutputTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("keep --ids {ids.json} --policy random --budget 4")]
    [InlineData("tasks --task single --length 100 --samples 2")]
    [InlineData("tokenize --texts {texts.json}")]
    public async Task A_file_goes_to_standard_output_byte_for_byte(string line)
    {
        _bench.Write("texts.json", """["The amber vault."]""");
        var arguments = line.Split(' ');
        string[] model = arguments[0] == "keep" ? ["--model", _bench.Model, "--device", "cpu"] : [];
        var written = await _bench.Run([.. arguments, .. model, "--out", "{out}"]);
        var before = _bench.Files.ToList();
        var streamed = await _bench.Run([.. arguments, .. model, "--out", "-"]);
        Assert.Equal((0, 0), (written.ExitCode, streamed.ExitCode));
        Assert.Equal(File.ReadAllText(_bench["out"]), streamed.Output);
        Assert.Equal(written.Output.Replace(_bench["out"], "standard output"), streamed.Error);
        Assert.Equal(before, _bench.Files);
        Assert.False(File.Exists("-"));
    }

    [Theory]
    [InlineData("generate --ids {ids.json}")]
    [InlineData("logits --ids {ids.json} --out {out}")]
    [InlineData("keep --ids {ids.json} --policy random --budget 4 --out {out}")]
    public async Task Numbers_go_to_standard_output(string line)
    {
        var arguments = line.Split(' ');
        var ran = await _bench.RunOnModel(arguments[0], [.. arguments[1..], "--json", "-"]);
        Assert.Equal(0, ran.ExitCode);
        using var numbers = JsonDocument.Parse(ran.Output);
        Assert.StartsWith($"lookahead {arguments[0]} ", numbers.RootElement.GetProperty("run").GetProperty("command").GetString());
        Assert.NotEqual("", ran.Error);
    }

    [Theory]
    [InlineData("tokenize --texts {ids.json} --out - --json -", "cannot both be standard output")]
    [InlineData("train --out -", "--out names a folder")]
    [InlineData("random --shape llama-3.2-1b --out -", "--out names a folder")]
    [InlineData("compare --report -", "--report names a folder")]
    public async Task What_cannot_be_standard_output_is_a_usage_error(string line, string part)
    {
        var ran = await _bench.Run(line.Split(' '));
        Assert.Equal((2, ""), (ran.ExitCode, ran.Output));
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Nothing_is_written_where_the_work_fails()
    {
        _bench.Write("ids.json", "[99]");
        var ran = await _bench.RunOnModel("logits", "--ids", "{ids.json}", "--out", "-");
        Assert.Equal((1, ""), (ran.ExitCode, ran.Output));
    }

    /// <summary>A busy machine is said once, where the table is read, by a clock that says so.</summary>
    [Theory]
    [InlineData(0.1, false)]
    [InlineData(9.0, true)]
    public async Task A_busy_machine_is_said(double waited, bool said)
    {
        var reads = 0;
        var (output, error) = (new StringWriter(), new StringWriter());
        string[] arguments = ["generate", "--model", _bench.Model, "--device", "cpu", "--ids", _bench["ids.json"], "--threads", "1"];
        ThreadTimes? Clock() => new(TimeSpan.FromSeconds(reads), TimeSpan.FromSeconds(waited * reads++));
        Assert.Equal(0, await EntryPoint.RunAsync(arguments, output, error, threadClock: Clock));
        Assert.Equal(said, output.ToString().Contains("warning: the machine is busy: the thread had a processor for 10 %"));
        Assert.Equal("", error.ToString());
    }
}
