using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using LookaheadKV.Cli;
using LookaheadKV.Cli.Common;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>No verb writes where it has not looked: what it did not write itself is refused, and stays as it is.</summary>
public sealed partial class OutputTests : IDisposable
{
    private const string Precious = "precious, and no one's but mine";
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    public static TheoryData<string, string> Outputs() =>
        new(from verb in EntryPoint.Root().Subcommands from output in verb.Options.OfType<Output>() select (verb.Name, output.Name));

    public static TheoryData<string> Verbs() => [.. EntryPoint.Root().Subcommands.Select(verb => verb.Name)];

    // What a verb must be given beside the output, sound enough to be parsed: no verb gets as far as reading it.
    private static IEnumerable<string> Required(string verb, string output)
    {
        foreach (var option in Verb(verb).Options.Where(option => option.Required && option.Name != output))
            yield return $"{option.Name}={(option.Name == "--policy" ? "full" : option.Name == "--shape" ? "llama-100m" : option is Output ? "{elsewhere}" : "{ids.json}")}";
        if (verb == "keep")
            foreach (var part in new[] { "--policy=full", "--ids={ids.json}", "--out={elsewhere}" })
                if (!part.StartsWith(output))
                    yield return part;
        if (verb == "convert")
            yield return "x.gguf";
        if (verb == "generate")
            yield return "--prompt=x";
    }

    private static Command Verb(string name) => EntryPoint.Root().Subcommands.Single(verb => verb.Name == name);

    private Task<Ran> Run(string verb, string output, string path, params string[] more) =>
        _bench.Run([verb, .. Required(verb, output).SelectMany(text => text.Split('=', 2)), output, path, .. more]);

    [Theory]
    [MemberData(nameof(Outputs))]
    public async Task What_a_verb_did_not_write_is_refused_and_stays(string verb, string output)
    {
        foreach (
            var text in new[]
            {
                Precious,
                "{\"run\": {\"command\": \"make tea\"}}",
                "[1, 2, 3]",
                "{\"Key\": 1}\n{\"prompt\": \"x\"}",
                "\0\u0001",
            }
        )
        {
            var place = _bench.Write("place", text);
            var ran = await Run(verb, output, place);
            Assert.True(ran.ExitCode == ExitCode.Failed, $"{text}: exit {ran.ExitCode}: {ran.Error}");
            Assert.Contains(place, ran.Error);
            Assert.Single(ran.Error.Trim().Split('\n'));
            Assert.Equal(text, File.ReadAllText(place));
            File.Delete(place);
        }
    }

    // Of folders, whatever file of the verb's is there and not its own.
    [Theory]
    [InlineData("compare", "--report", "index.html")]
    [InlineData("bench", "--report", "index.html")]
    [InlineData("ablate", "--out", "table.csv")]
    [InlineData("train", "--out", "lookahead.json")]
    [InlineData("train", "--out", "adapter_model.safetensors")]
    [InlineData("train", "--out", "evaluation.json")]
    [InlineData("train", "--out", "curve.jsonl")]
    [InlineData("train", "--out", "checkpoint.safetensors")]
    [InlineData("train", "--out", "config.json")]
    [InlineData("random", "--out", "prompts.jsonl")]
    [InlineData("random", "--out", "model-00003-of-00007.safetensors")]
    [InlineData("convert", "--out", "model.safetensors.index.json")]
    [InlineData("pretrain", "--out", "curve.jsonl")]
    [InlineData("pretrain", "--out", "step-00000007.safetensors")]
    [InlineData("pretrain", "--out", "model/config.json")]
    public async Task What_lies_in_a_folder_is_refused_and_stays(string verb, string output, string file)
    {
        var path = Path.Combine(_bench["place"], file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, Precious);
        var before = _bench.Files.ToList();
        var ran = await Run(verb, output, "{place}");
        Assert.Equal(ExitCode.Failed, ran.ExitCode);
        Assert.Contains(_bench["place"], ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.Equal(Precious, File.ReadAllText(path));
        Assert.Equal(before, _bench.Files);
    }

    [Fact]
    public void Every_option_for_a_place_is_looked_at()
    {
        // Options of these names and words write; none of them may be a plain text.
        foreach (var verb in EntryPoint.Root().Subcommands)
        foreach (var option in verb.Options.Where(option => option.Name is "--out" or "--json" or "--report" or "--response-cache"))
            Assert.True(option is Output, $"{verb.Name} {option.Name} writes where nobody looked");
    }

    // The command's own code writes through Output alone; what the library writes for it goes to a path that an Output gave.
    [Fact]
    public void No_code_of_the_command_writes_past_the_guard()
    {
        var folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "..", "src", "LookaheadKV.Cli"));
        var writers =
            from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            where Path.GetFileName(file) != "Output.cs" && !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")
            from line in File.ReadLines(file)
            where Writing().IsMatch(line)
            select $"{Path.GetFileName(file)}: {line.Trim()}";
        Assert.Empty(writers);

        static string Here([CallerFilePath] string path = "") => path;
    }

    [GeneratedRegex(
        @"\b(AtomicFile\.(Write|Probe|Sweep)|JsonLines\.(Append|Keep)|File\.(Write|Append|Create|Open\(|OpenWrite|Move|Copy|Delete|Replace)|new (FileStream|StreamWriter)|Directory\.(Create|Move|Delete))"
    )]
    private static partial Regex Writing();

    [Fact]
    public async Task A_verb_replaces_what_it_wrote_and_no_other_verbs_result()
    {
        string[] keep = ["keep", "--model", "{model}", "--device", "cpu", "--ids", "{ids.json}", "--policy", "full", "--out", "{k.json}"];
        foreach (var _ in new int[2])
            Assert.Equal((0, ""), (await _bench.Run([.. keep, "--json", "{r.json}"])) is var ran ? (ran.ExitCode, ran.Error) : default);
        var other = await _bench.Run(
            "logits",
            "--model",
            "{model}",
            "--ids",
            "{ids.json}",
            "--out",
            "{l.safetensors}",
            "--json",
            "{r.json}"
        );
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("was not written by `lookahead logits`", other.Error);
        var model = await _bench.Run(
            "logits",
            "--model",
            "{model}",
            "--ids",
            "{ids.json}",
            "--out",
            "{model/model.safetensors}",
            "--device",
            "cpu"
        );
        Assert.Contains("was not written by `lookahead logits`", model.Error);
        var ids = await _bench.Run([.. keep[..^1], "{ids.json}"]);
        Assert.Contains("was not written by `lookahead keep`", ids.Error);
        Assert.Equal(1, ids.ExitCode);

        _bench.Write("k.json", Precious);
        var forced = await _bench.Run([.. keep, "--overwrite"]);
        Assert.Equal(0, forced.ExitCode);
        Assert.Contains($"--overwrite: {_bench["k.json"]} is replaced", forced.Output);
        Assert.Equal(JsonValueKind.Object, _bench.Json("k.json").ValueKind);
    }

    [Fact]
    public async Task An_empty_file_is_no_ones_and_two_outputs_want_two_places()
    {
        string[] keep = ["keep", "--model", "{model}", "--device", "cpu", "--ids", "{ids.json}", "--policy", "full", "--out", "{k.json}"];
        _bench.Write("k.json", "");
        Assert.Equal(0, (await _bench.Run(keep)).ExitCode);
        var twice = await _bench.Run([.. keep[..^1], "{a.json}", "--json", "{a.json}"]);
        Assert.Equal(2, twice.ExitCode);
        Assert.Contains("--out and --json name the same place", twice.Error);
    }

    [Fact]
    public async Task A_device_and_a_link_stay_what_they_are()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "links and /dev/null");
        File.WriteAllText(_bench["texts.json"], """["The amber vault."]""");
        File.CreateSymbolicLink(_bench["link.json"], _bench["target.json"]);
        var ran = await _bench.Run("tokenize", "--texts", "{texts.json}", "--out", "{link.json}", "--json", "/dev/null");
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        Assert.NotNull(new FileInfo(_bench["link.json"]).LinkTarget);
        Assert.StartsWith("[[", File.ReadAllText(_bench["target.json"]));
        Assert.Equal("", File.ReadAllText("/dev/null"));
    }

    [Fact]
    public async Task A_report_over_a_report_says_so_and_takes_its_own_file_alone()
    {
        string[] bench =
        [
            "bench",
            "--model",
            "{model}",
            "--device",
            "cpu",
            "--lengths",
            "20",
            "--decode",
            "2",
            "--policies",
            "full",
            "--runs",
            "1",
        ];
        Assert.DoesNotContain("in place of", (await _bench.Run([.. bench, "--report", "{report}"])).Output);
        _bench.Write("report/notes.txt", Precious);
        Assert.Contains("in place of the one that was there", (await _bench.Run([.. bench, "--report", "{report}"])).Output);
        Assert.Equal(Precious, File.ReadAllText(_bench["report/notes.txt"]));
    }
}
