using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Models;
using LookaheadKV.Pretraining;
using LookaheadKV.Text;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cli;

/// <summary>The verbs that need a tokenizer, on the shipped model.</summary>
public sealed class ShippedModelTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    private JsonElement[] Lines(string file) =>
        [.. File.ReadLines(_bench[file]).Select(line => JsonDocument.Parse(line).RootElement.Clone())];

    [Fact]
    public async Task Tasks_are_written_with_the_ids_that_tokenize_gives()
    {
        var ran = await _bench.Run(
            "tasks",
            "--task",
            "multikey,listall",
            "--length",
            "300",
            "--samples",
            "2",
            "--seed",
            "4",
            "--out",
            "{tasks.jsonl}"
        );
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var lines = Lines("tasks.jsonl");
        Assert.Equal(["multikey", "multikey", "listall", "listall"], lines.Select(line => line.GetProperty("task").GetString()));
        _bench.Write(
            "texts.json",
            JsonSerializer.Serialize(
                lines.SelectMany(line =>
                    new[] { line.GetProperty("prompt").GetString(), line.GetProperty("answer").GetString() + Templates.End }
                )
            )
        );
        Assert.Equal(0, (await _bench.Run("tokenize", "--texts", "{texts.json}", "--out", "{tokens.json}")).ExitCode);
        var wanted = lines
            .SelectMany(line => new[] { line.GetProperty("prompt_ids"), line.GetProperty("answer_ids") })
            .Select(ids => ids.GetRawText());
        Assert.Equal(wanted, _bench.Json("tokens.json").EnumerateArray().Select(ids => ids.GetRawText()));
    }

    [Fact]
    public async Task Tokenize_needs_nothing_but_the_tokenizer()
    {
        Directory.CreateDirectory(_bench["bare"]);
        File.Copy(Path.Combine(ModelFolders.Resolve("nano"), "tokenizer.json"), Path.Combine(_bench["bare"], "tokenizer.json"));
        string[] texts = ["The amber vault.", "", "a<|end|>b", "naïve 🙂"];
        _bench.Write("texts.json", JsonSerializer.Serialize(texts));
        var ran = await _bench.Run("tokenize", "--model", "{bare}", "--texts", "{texts.json}", "--out", "{tokens.json}");
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var tokenizer = Tokenizer.Load(_bench["bare"]);
        var ids = JsonSerializer.Deserialize<int[][]>(File.ReadAllText(_bench["tokens.json"]))!;
        Assert.Equal(texts, ids.Select(line => tokenizer.Decode(line)));
        Assert.Contains(tokenizer.Id(Templates.End)!.Value, ids[2]);
    }

    [Fact]
    public async Task Compare_writes_a_row_for_every_policy_budget_and_task()
    {
        var ran = await _bench.Run([
            .. new[] { "compare", "--policies", "full,random,streaming[sinks=2]", "--budgets", "16,32", "--tasks", "single,multikey" },
            .. new[] { "--length", "160", "--samples", "2", "--device", "cpu", "--json", "{compare.json}", "--report", "{report}" },
        ]);
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var rows = _bench.Json("compare.json").GetProperty("results").EnumerateArray().ToList();
        var cells = rows.Select(row =>
            (row.GetProperty("policy").GetString(), row.GetProperty("budget").GetString(), row.GetProperty("task").GetString())
        );
        var wanted =
            from cell in new (string, string?)[]
            {
                ("full", null),
                ("random", "16"),
                ("random", "32"),
                ("streaming[sinks=2]", "16"),
                ("streaming[sinks=2]", "32"),
            }
            from task in new[] { "single", "multikey", "mean" }
            select ((string?)cell.Item1, cell.Item2, (string?)task);
        Assert.Equal(wanted.Order(), cells.Order());
        Assert.All(
            rows,
            row =>
                Assert.InRange(
                    row.GetProperty("accuracy").GetDouble(),
                    row.GetProperty("low").GetDouble(),
                    row.GetProperty("high").GetDouble()
                )
        );
        var sixteen = rows.Where(row => row.GetProperty("budget").GetString() == "16");
        var model = DecoderConfig.Load(Path.Combine(ModelFolders.Resolve("nano"), "config.json"));
        var bytes = 16L * 2 * model.Layers * model.KeyValueHeads * model.HeadSize * sizeof(float);
        Assert.All(sixteen, row => Assert.Equal(bytes, row.GetProperty("cacheBytes").GetInt64()));
        Assert.Contains("streaming[sinks=2]", ran.Output);
        Assert.Contains("prompt 4/4", ran.Output);
        var page = File.ReadAllText(Path.Combine(_bench["report"], "index.html"));
        Assert.Contains("streaming[sinks=2]", page);
        Assert.Equal(["index.html"], Directory.EnumerateFiles(_bench["report"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Compare_refuses_a_result_where_nothing_was_evicted()
    {
        var ran = await _bench.Run(
            "compare",
            "--policies",
            "random",
            "--budgets",
            "100%",
            "--tasks",
            "single",
            "--length",
            "100",
            "--samples",
            "1",
            "--json",
            "{c.json}"
        );
        Assert.Equal(3, ran.ExitCode);
        Assert.StartsWith("refused: ", ran.Error);
        Assert.NotEqual(0, _bench.Json("c.json").GetProperty("refusals").GetArrayLength());
    }

    [Fact]
    public async Task Compare_refuses_the_result_of_a_model_that_cannot_do_the_tasks()
    {
        using var scope = NewDisposeScope();
        var tokenizer = Tokenizer.Load(ModelFolders.Resolve("nano"));
        var config = new TrainableDecoderConfig
        {
            VocabularySize = tokenizer.VocabularySize,
            Width = 16,
            Layers = 1,
            QueryHeads = 2,
            KeyValueHeads = 1,
            HeadSize = 8,
            IntermediateSize = 16,
            MaxPositions = 256,
        };
        HuggingFaceExport.Write(_bench["dull"], config, TrainableDecoder.InitialWeights(config, 1), ScalarType.Float32, endToken: 1);
        File.Copy(Path.Combine(ModelFolders.Resolve("nano"), "tokenizer.json"), Path.Combine(_bench["dull"], "tokenizer.json"));
        var ran = await _bench.Run(
            "compare",
            "--model",
            "{dull}",
            "--policies",
            "random",
            "--budgets",
            "16",
            "--tasks",
            "single,twohop",
            "--length",
            "120",
            "--samples",
            "1"
        );
        Assert.Equal(3, ran.ExitCode);
        Assert.Contains("refused: no task reaches 0.75 on the full cache", ran.Error);
        Assert.Contains("* twohop is left out of the mean", ran.Output);
    }

    [Fact]
    public async Task Compare_checks_budgets_against_protected_windows_before_it_runs()
    {
        var ran = await _bench.Run("compare", "--policies", "random,snapkv", "--budgets", "64,16", "--device", "cpu");
        Assert.Equal(1, ran.ExitCode);
        Assert.Contains("--policies snapkv --budgets 16: budget 16 cannot hold the 32 protected tokens", ran.Error);
        Assert.DoesNotContain("prompt", ran.Output.Split('\n')[^2]);
    }

    [Fact]
    public async Task Compare_names_a_length_beyond_the_context()
    {
        var ran = await _bench.Run("compare", "--policies", "random", "--length", "100000", "--device", "cpu");
        Assert.Equal(1, ran.ExitCode);
        Assert.Contains("--length 100000 is beyond the model's context of", ran.Error);
    }
}
