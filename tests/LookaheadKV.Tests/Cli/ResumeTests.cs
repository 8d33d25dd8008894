using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>A run goes on with what an earlier one of the same settings left, and with nothing else.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly Bench _bench = new();

    public ResumeTests()
    {
        _bench.Write("a.jsonl", Prompts(0));
        _bench.Write("b.jsonl", Prompts(4));

        static string Prompts(int from) =>
            string.Join('\n', Enumerable.Range(from, 5).Select(i => $$"""{"prompt_ids": [{{string.Join(", ", Bench.Ids.Skip(i))}}]}"""));
    }

    public void Dispose() => _bench.Dispose();

    private static string[] Train(int steps, string data = "{a.jsonl}") =>
        ["--data", data, "--steps", $"{steps}", "--batch", "2", "--tokens", "2", "--rank", "1", "--held-out", "0", "--out", "{m}"];

    private byte[] Weights => File.ReadAllBytes(_bench["m/adapter_model.safetensors"]);

    [Theory]
    [InlineData("--data .* there, .* now", "--data", "{b.jsonl}")]
    [InlineData("--learning-rate 0.001 there, 0.05 now", "--learning-rate", "0.05")]
    [InlineData("--seed 0 there, 9 now", "--seed", "9")]
    [InlineData("--alpha 32 there, 1 now", "--alpha", "1")]
    [InlineData("--batch 2 there, 3 now", "--batch", "3")]
    [InlineData("--warm-up 20 there, 1 now", "--warm-up", "1")]
    [InlineData("--max-prompt .* now; --max-response .* there, 3 now", "--max-response", "3")]
    [InlineData("--temperature 0 there, 1 now", "--temperature", "1")]
    [InlineData("--model .* there, .* now", "--model", "{other}")]
    public async Task A_training_of_other_settings_is_refused_with_the_difference(string difference, string option, string value)
    {
        await Succeeds(_bench.RunOnModel("train", Train(2)));
        // Another model of the same shape.
        foreach (var file in Directory.GetFiles(_bench.Model))
            File.Copy(file, Path.Combine(Directory.CreateDirectory(_bench["other"]).FullName, Path.GetFileName(file)));
        File.WriteAllText(_bench["other/generation_config.json"], """{"eos_token_id": 3}""");
        var before = Weights;
        string[] command = ["train", "--device", "cpu", "--model", "{model}", .. Train(4)];
        var place = Array.IndexOf(command, option);
        command = place < 0 ? [.. command, option, value] : [.. command[..(place + 1)], value, .. command[(place + 2)..]];

        var ran = await _bench.Run(command);
        Assert.Equal(ExitCode.Failed, ran.ExitCode);
        Assert.Matches($"^{_bench["m"]} holds a training of other settings \\({difference}\\)", ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.Equal(before, Weights);

        var forced = await _bench.Run([.. command, "--overwrite", "--json", "{t.json}"]);
        Assert.Equal((0, ""), (forced.ExitCode, forced.Error));
        Assert.Contains("--overwrite: the training of 2 steps", forced.Output);
        Assert.Equal(4, File.ReadLines(_bench["m/curve.jsonl"]).Count());
        Assert.True(_bench.Json("t.json").GetProperty("complete").GetBoolean());
    }

    [Fact]
    public async Task A_training_of_another_tokenizer_or_template_is_refused_with_the_difference()
    {
        CopyOfNano("copy", seed: 1);
        string[] command = ["train", "--device", "cpu", "--model", "{copy}", .. Train(1)];
        await Succeeds(_bench.Run(command));
        foreach (var file in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            var text = File.ReadAllText(_bench[$"copy/{file}"]);
            File.WriteAllText(_bench[$"copy/{file}"], text + "\n");
            Assert.Contains("other settings (tokenizer ", (await _bench.Run(command)).Error);
            File.WriteAllText(_bench[$"copy/{file}"], text);
        }
        File.WriteAllText(_bench["copy/chat_template.jinja"], "{{ messages[0].content }}");
        Assert.Contains("other settings (tokenizer ", (await _bench.Run(command)).Error);
        File.Delete(_bench["copy/chat_template.jinja"]);
        await Succeeds(_bench.Run(command));
    }

    [Fact]
    public async Task A_training_never_goes_back_and_tells_the_schedules_it_ran_on()
    {
        await Succeeds(_bench.RunOnModel("train", Train(2)));
        await Succeeds(_bench.RunOnModel("train", Train(4)));
        var json = _bench.Json("m/lookahead.json").GetProperty("training");
        Assert.Equal(4, json.GetProperty("steps").GetInt32());
        Assert.Equal("""[{"From":0,"Steps":2},{"From":2,"Steps":4}]""", Compact(json.GetProperty("schedules")));
        var before = Weights;
        var back = await _bench.RunOnModel("train", Train(3));
        Assert.Equal(ExitCode.Failed, back.ExitCode);
        Assert.Contains("holds a training of 4 steps, 3 are wanted", back.Error);
        Assert.Equal(before, Weights);
        Assert.Equal(4, _bench.Json("m/lookahead.json").GetProperty("training").GetProperty("steps").GetInt32());

        static string Compact(JsonElement value) => JsonSerializer.Serialize(value).Replace("from", "From").Replace("steps", "Steps");
    }

    [Fact]
    public async Task Modules_of_the_user_and_the_models_own_folder_are_no_place_for_a_training()
    {
        _bench.AddModule();
        var files = _bench.Files.ToDictionary(file => file, File.ReadAllBytes);
        var without = await _bench.RunOnModel("train", Train(1)[..^2]);
        Assert.Equal((ExitCode.Usage, true), (without.ExitCode, without.Error.Contains("--out")));
        foreach (
            var (place, part) in new[]
            {
                ("{model/lookahead}", "was not written by `lookahead train`"),
                ("{model}", "a model's own folder"),
            }
        )
        {
            var ran = await _bench.RunOnModel("train", [.. Train(1)[..^1], place]);
            Assert.Equal(ExitCode.Failed, ran.ExitCode);
            Assert.Contains(part, ran.Error);
        }
        Assert.Equal(files.Keys, _bench.Files);
        Assert.All(files, file => Assert.Equal(file.Value, File.ReadAllBytes(file.Key)));
    }

    private static string[] Compare(params string[] more) =>
        [
            .. new[] { "compare", "--policies", "random", "--budgets", "16", "--tasks", "single", "--length", "128", "--samples", "2" },
            .. new[] { "--device", "cpu", "--json", "{c.json}" },
            .. more,
        ];

    [Fact]
    public async Task A_comparison_of_other_settings_is_refused_with_the_difference()
    {
        await Succeeds(_bench.Run(Compare()));
        var first = File.ReadAllText(_bench["c.json"]);
        Assert.True(_bench.Json("c.json").GetProperty("complete").GetBoolean());
        Assert.False(File.Exists(_bench["c.json.partial"]));
        await Succeeds(_bench.Run(Compare("--report", "{report}"))); // the same results, and a page of them

        var other = await _bench.Run(Compare("--seed", "3"));
        Assert.Equal(ExitCode.Failed, other.ExitCode);
        Assert.Contains("c.json holds results of other settings (--seed 0 there, 3 now; prompts", other.Error);
        Assert.Equal(Results(first), Results(File.ReadAllText(_bench["c.json"])));
        await Succeeds(_bench.Run(Compare("--seed", "3", "--restart")));
        Assert.Equal(3, _bench.Json("c.json").GetProperty("run").GetProperty("seed").GetInt32());

        static string Results(string json) =>
            System.Text.RegularExpressions.Regex.Replace(
                json[json.IndexOf("\"results\"", StringComparison.Ordinal)..],
                "\"evictionMs\": [^,]*",
                ""
            );
    }

    [Fact]
    public async Task What_lies_where_partial_results_go_is_refused_and_stays()
    {
        _bench.Write("c.json.partial", "precious");
        var ran = await _bench.Run(Compare());
        Assert.Equal(ExitCode.Failed, ran.ExitCode);
        Assert.Contains("c.json.partial holds other things", ran.Error);
        Assert.Equal("precious", File.ReadAllText(_bench["c.json.partial"]));
    }

    private void Study(string settings = "\"samples\": 1", string seeds = "0", string model = "copy", string grid = "{}") =>
        _bench.Write(
            "s.json",
            $$"""
            {"name": "s", "model": "{{_bench[model].Replace("\\", "/")}}", "seeds": [{{seeds}}], "grid": {{grid}},
             "defaults": {"modules": "shipped", "policies": ["lookahead"], "budgets": ["16"], "tasks": ["single"], "length": 128, "recallAt": [16], {{settings}}} }
            """
        );

    private Task<Ran> Ablate(params string[] more) =>
        _bench.Run(["ablate", "--study", "{s.json}", "--device", "cpu", "--json", "{a.json}", .. more]);

    private void CopyOfNano(string folder, long seed)
    {
        var nano = Path.Combine(ModelFolders.Resolve("nano"), ModelFolders.DraftFolder);
        Directory.CreateDirectory(_bench[folder]);
        foreach (var file in Directory.GetFiles(nano))
            File.Copy(file, Path.Combine(_bench[folder], Path.GetFileName(file)), overwrite: true);
        var config = DecoderConfig.Load(Path.Combine(nano, "config.json"));
        using var module = LookaheadModule.Create(config, new() { Tokens = 4, Rank = 2 }, seed);
        LookaheadFiles.Save(module, Path.Combine(_bench[folder], ModelFolders.LookaheadFolder));
    }

    [Fact]
    public async Task A_study_grows_in_its_folder_and_one_of_other_settings_is_refused_there_with_the_difference()
    {
        CopyOfNano("copy", seed: 1);
        CopyOfNano("other", seed: 1);
        File.WriteAllText(_bench["other/generation_config.json"], """{"eos_token_id": 3}""");
        Study();
        await Succeeds(Ablate());
        Study(seeds: "0, 1");
        Assert.Contains("2 cells; 1 to run", (await Succeeds(Ablate())).Output);
        Study("\"samples\": 1", "0, 1", grid: """{"rank": [8, 2]}""");
        Assert.Contains("4 cells; 2 to run", (await Succeeds(Ablate())).Output);
        Assert.True(_bench.Json("a.json").GetProperty("complete").GetBoolean());
        var before = Contents();

        Study("\"samples\": 2", "0, 1", grid: """{"rank": [8, 2]}""");
        await Refused("samples 1 there, 2 now");
        Study(seeds: "1", grid: """{"rank": [8, 2]}""");
        await Refused("seed 0 there, 1 now");
        Study(seeds: "0, 1", grid: """{"rank": [3, 4]}""");
        await Refused("rank [28] there, 3 or 4 now");
        Study("\"samples\": 1", "0, 1", "other", """{"rank": [8, 2]}""");
        await Refused("model [0-9a-f]+ there, [0-9a-f]+ now");
        Study(seeds: "0, 1", grid: """{"rank": [8, 2]}""");
        await Refused("--dtype float32 there, bfloat16 now", "--dtype", "bfloat16");
        CopyOfNano("copy", seed: 2);
        await Refused("modules [0-9a-f+]+ there, [0-9a-f+]+ now");
        CopyOfNano("copy", seed: 1);
        await Succeeds(Ablate()); // nothing to run, nothing else there

        var cell = Directory.GetFiles(_bench["s/cells"])[0];
        var text = File.ReadAllText(cell);
        File.WriteAllText(cell, text.Replace("\"version\": \"0", "\"version\": \"earlier-0"));
        before = Contents();
        await Refused("version earlier-0[^ ]+ there, 0[^ ]+ now");
        await Succeeds(Ablate("--merge"));

        Study("\"samples\": 2");
        foreach (var other in new[] { "--merge", "--shard=1/2" })
            Assert.Equal(ExitCode.Usage, (await Ablate("--restart", other)).ExitCode);
        Assert.Equal(before, Contents());
        await Succeeds(Ablate("--restart"));
        Assert.Single(Directory.GetFiles(_bench["s/cells"]));
        Assert.DoesNotContain("rank", File.ReadAllText(_bench["s/table.csv"]));

        string[] Contents() => [.. Directory.GetFiles(_bench["s"], "*", SearchOption.AllDirectories).Order().Select(File.ReadAllText)];

        async Task Refused(string difference, params string[] more)
        {
            var json = File.ReadAllText(_bench["a.json"]);
            var ran = await Ablate(more);
            Assert.Equal(ExitCode.Failed, ran.ExitCode);
            Assert.Matches($"^{_bench["s"]} holds results of other settings \\({difference}\\); name another folder", ran.Error);
            Assert.Single(ran.Error.Trim().Split('\n'));
            Assert.Equal(before, Contents());
            Assert.Equal(json, File.ReadAllText(_bench["a.json"]));
        }
    }

    [Fact]
    public async Task A_pretraining_of_other_settings_is_refused_with_the_difference()
    {
        var nano = Path.Combine(ModelFolders.Resolve("nano"), ModelFolders.DraftFolder);
        Directory.CreateDirectory(_bench["run/model"]);
        foreach (var file in new[] { "tokenizer.json", "tokenizer_config.json" })
            File.Copy(Path.Combine(nano, file), _bench[$"run/model/{file}"]);
        Plan(batch: 2);
        await Succeeds(Pretrain());
        Assert.True(_bench.Json("p.json").GetProperty("complete").GetBoolean());
        Plan(batch: 3);
        await Refused("Stages .* there, .* now");
        Plan(batch: 2);
        await Refused("--fuse False there, true now", "--fuse");
        await Refused("--from not given there, [0-9a-f]+ now", "--from", nano);
        File.AppendAllText(_bench["run/model/tokenizer.json"], "\n");
        await Refused("tokenizer [0-9a-f+]+ there, [0-9a-f+]+ now");
        Plan(batch: 3);
        await Succeeds(Pretrain("--restart"));
        Assert.Equal(3, _bench.Json("p.json").GetProperty("step").GetInt32());

        void Plan(int batch) =>
            _bench.Write(
                "plan.json",
                $$"""
                {"Model": {"Layers": 1, "Width": 16, "IntermediateSize": 16, "QueryHeads": 2, "KeyValueHeads": 1, "HeadSize": 8, "MaxPositions": 256},
                 "Stages": [{"Length": 128, "Batch": {{batch}}, "MaxShare": 1}], "TotalTokens": 1024, "EvaluateEvery": 9, "EvaluationSequences": 1}
                """
            );

        Task<Ran> Pretrain(params string[] more) =>
            _bench.Run(["pretrain", "--plan", "{plan.json}", "--out", "{run}", "--device", "cpu", "--json", "{p.json}", .. more]);

        async Task Refused(string difference, params string[] more)
        {
            var before = _bench.Files.Select(File.ReadAllBytes).ToList();
            var ran = await Pretrain(more);
            Assert.Equal(ExitCode.Failed, ran.ExitCode);
            Assert.Matches(
                $"^{_bench["run"]} holds a training of other settings \\({difference}\\); name another folder, or begin anew by --restart.$",
                ran.Error.Trim()
            );
            Assert.Equal(before, _bench.Files.Select(File.ReadAllBytes));
        }
    }

    private static async Task<Ran> Succeeds(Task<Ran> run)
    {
        var ran = await run;
        Assert.True(ran.ExitCode is ExitCode.Done or ExitCode.Refused, ran.Error);
        return ran;
    }
}
