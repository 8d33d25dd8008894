using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Pretraining;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Tests.Text;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cli;

/// <summary>The verbs on a tiny model, end to end.</summary>
public sealed class VerbTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static async Task Succeeds(Task<Ran> run)
    {
        var ran = await run;
        Assert.Equal("", ran.Error);
        Assert.Equal(0, ran.ExitCode);
        Assert.NotEqual("", ran.Output);
    }

    private Tensor Read(string file, string name)
    {
        using var tensors = SafetensorsFile.Open(_bench[file]);
        return tensors.Read(name);
    }

    [Fact]
    public async Task Logits_are_those_of_the_training_decoder()
    {
        using var scope = NewDisposeScope();
        await Succeeds(_bench.RunOnModel("logits", "--ids", "{ids.json}", "--out", "{logits.safetensors}"));
        using var other = new TrainableDecoder(Toy.Model, Toy.RandomWeights(), CPU, ScalarType.Float32, AttentionKernel.Grouped);
        var wanted = other.Logits(tensor(Bench.Ids.Select(id => (long)id).ToArray()).unsqueeze(0))[0];
        var logits = Read("logits.safetensors", "logits");
        Assert.Equal([Bench.Ids.Length, 16], logits.shape);
        Assert.True(allclose(logits, wanted, 1e-4, 1e-4));
    }

    [Fact]
    public async Task Generate_is_greedy_and_tells_what_it_kept()
    {
        using var scope = NewDisposeScope();
        await Succeeds(_bench.RunOnModel("generate", "--ids", "{ids.json}", "--max-new-tokens", "6", "--json", "{answer.json}"));
        var answer = _bench.Json("answer.json");
        var ids = Ints(answer.GetProperty("ids"));
        Assert.InRange(ids.Length, 1, 6);
        Assert.Equal(20, answer.GetProperty("promptTokens").GetInt32());
        Assert.Equal(20, answer.GetProperty("keptTokens").GetInt32());
        Assert.Equal(2L * 2 * 2 * 20 * 8 * 4, answer.GetProperty("cacheBytes").GetInt64());
        Assert.True(answer.GetProperty("ttftMs").GetDouble() > 0);
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("text").ValueKind);
        var run = answer.GetProperty("run");
        Assert.Equal(_bench.Model, run.GetProperty("model").GetString());
        Assert.Equal("float32", run.GetProperty("dtype").GetString());
        Assert.Equal(0, run.GetProperty("seed").GetInt64());
        Assert.StartsWith("lookahead generate --model ", run.GetProperty("command").GetString());
        Assert.StartsWith("cpu", run.GetProperty("device").GetString());
        Assert.Matches(@"^\d+\.\d+\.\d+", run.GetProperty("version").GetString());
        Assert.NotEqual("", run.GetProperty("commit").GetString());

        // Teacher-forced over prompt and answer, every token of the answer is the most likely one.
        _bench.Write("all.json", JsonSerializer.Serialize(Bench.Ids.Concat(ids)));
        await Succeeds(_bench.RunOnModel("logits", "--ids", "{all.json}", "--out", "{logits.safetensors}"));
        var best = Read("logits.safetensors", "logits").argmax(-1).data<long>().ToArray();
        Assert.Equal(ids, best[(Bench.Ids.Length - 1)..^1].Select(id => (int)id));
    }

    [Theory]
    [InlineData("streaming", "6")]
    [InlineData("streaming[sinks=1]", "30%")]
    public async Task Keep_writes_the_positions_of_every_head(string policy, string budget)
    {
        await Succeeds(_bench.RunOnModel("keep", "--ids", "{ids.json}", "--policy", policy, "--budget", budget, "--out", "{kept.json}"));
        var kept = _bench.Json("kept.json");
        Assert.Equal(policy, kept.GetProperty("policy").GetString());
        Assert.Equal(budget, kept.GetProperty("budget").GetString());
        Assert.Equal(20, kept.GetProperty("length").GetInt32());
        int[] wanted = policy == "streaming" ? [0, 1, 2, 3, 18, 19] : [0, 15, 16, 17, 18, 19];
        var heads = kept.GetProperty("layers").EnumerateArray().SelectMany(layer => layer.EnumerateArray()).ToList();
        Assert.Equal(4, heads.Count); // 2 layers of 2 kv heads
        Assert.All(heads, head => Assert.Equal(wanted, Ints(head)));
    }

    [Fact]
    public async Task Keep_follows_the_seed_of_the_random_policy()
    {
        async Task<string> Kept(params string[] arguments)
        {
            await Succeeds(_bench.RunOnModel("keep", ["--ids", "{ids.json}", "--budget", "5", "--out", "{kept.json}", .. arguments]));
            return _bench.Json("kept.json").GetProperty("layers").GetRawText();
        }

        var one = await Kept("--policy", "random", "--seed", "1");
        Assert.Equal(one, await Kept("--policy", "random[seed=1]", "--seed", "2"));
        Assert.NotEqual(one, await Kept("--policy", "random", "--seed", "2"));
    }

    [Fact]
    public async Task The_oracle_keeps_the_most_important_positions()
    {
        using var scope = NewDisposeScope();
        await Succeeds(_bench.RunOnModel("importance", "--ids", "{ids.json}", "--out", "{importance.safetensors}"));
        await Succeeds(_bench.RunOnModel("keep", "--ids", "{ids.json}", "--policy", "oracle", "--budget", "5", "--out", "{kept.json}"));
        var importance = Read("importance.safetensors", "true");
        Assert.Equal([2, 4, 20], importance.shape); // L, H, N
        var layers = _bench.Json("kept.json").GetProperty("layers");
        for (var layer = 0; layer < 2; layer++)
        for (var head = 0; head < 2; head++)
        {
            var scores = importance[layer].narrow(0, 2 * head, 2).mean([0]).data<float>().ToArray();
            var best = Enumerable.Range(0, 20).OrderByDescending(j => scores[j]).Take(5).Order();
            Assert.Equal(best, Ints(layers[layer][head]));
        }
    }

    [Fact]
    public async Task Importance_of_the_models_own_answer_is_that_of_the_same_ids_given()
    {
        using var scope = NewDisposeScope();
        await Succeeds(_bench.RunOnModel("importance", "--ids", "{ids.json}", "--out", "{own.safetensors}", "--json", "{own.json}"));
        _bench.Write("response.json", _bench.Json("own.json").GetProperty("responseIds").GetRawText());
        _bench.Write("other.json", "[3, 3, 9]");
        await Succeeds(
            _bench.RunOnModel("importance", "--ids", "{ids.json}", "--response-ids", "{response.json}", "--out", "{given.safetensors}")
        );
        await Succeeds(
            _bench.RunOnModel("importance", "--ids", "{ids.json}", "--response-ids", "{other.json}", "--out", "{other.safetensors}")
        );
        Assert.True(Toy.Same(Read("own.safetensors", "true"), Read("given.safetensors", "true")));
        Assert.False(Toy.Same(Read("own.safetensors", "true"), Read("other.safetensors", "true")));
    }

    [Fact]
    public async Task With_modules_importance_is_predicted_and_lookahead_answers()
    {
        using var scope = NewDisposeScope();
        _bench.AddModule();
        await Succeeds(_bench.RunOnModel("importance", "--ids", "{ids.json}", "--out", "{importance.safetensors}"));
        var predicted = Read("importance.safetensors", "predicted");
        Assert.Equal([2, 4, 20], predicted.shape);
        Assert.True(predicted.gt(0).all().item<bool>() && predicted.sum(-1).lt(1).all().item<bool>());
        await Succeeds(
            _bench.RunOnModel("generate", "--ids", "{ids.json}", "--policy", "lookahead", "--budget", "5", "--json", "{answer.json}")
        );
        Assert.Equal(5, _bench.Json("answer.json").GetProperty("keptTokens").GetInt32());
    }

    [Fact]
    public async Task Training_goes_on_where_it_stopped_and_leaves_modules_that_load()
    {
        var lines = Enumerable.Range(0, 5).Select(i => $$"""{"prompt_ids": [{{string.Join(", ", Bench.Ids.Skip(i))}}]}""");
        _bench.Write("data.jsonl", string.Join('\n', lines));
        string[] fixedArguments =
        [
            "--data",
            "{data.jsonl}",
            "--batch",
            "2",
            "--tokens",
            "2",
            "--rank",
            "1",
            "--out",
            "{m}",
            "--json",
            "{train.json}",
        ];
        await Succeeds(_bench.RunOnModel("train", [.. fixedArguments, "--steps", "3"]));
        Assert.True(_bench.Json("train.json").GetProperty("finished").GetBoolean());
        Assert.Equal(3, File.ReadLines(_bench["m/curve.jsonl"]).Count());
        await Succeeds(_bench.RunOnModel("train", [.. fixedArguments, "--steps", "5"]));
        Assert.Equal(5, _bench.Json("train.json").GetProperty("step").GetInt32());
        Assert.Equal(5, File.ReadLines(_bench["m/curve.jsonl"]).Count());
        Assert.Equal(5, File.ReadLines(_bench["m/responses.jsonl"]).Count()); // a prompt is answered once
        await Succeeds(
            _bench.RunOnModel(
                "keep",
                "--ids",
                "{ids.json}",
                "--policy",
                "lookahead",
                "--modules",
                "{m}",
                "--budget",
                "4",
                "--out",
                "{kept.json}"
            )
        );
    }

    [Theory]
    [InlineData("40%")]
    [InlineData("2")]
    [InlineData("{held.jsonl}")]
    public async Task Training_is_measured_on_held_out_prompts_before_and_after(string heldOut)
    {
        string Line(int i) => $$"""{"prompt_ids": [{{string.Join(", ", Bench.Ids.Skip(i))}}]}""";
        _bench.Write("data.jsonl", string.Join('\n', Enumerable.Range(0, 5).Select(Line)));
        _bench.Write("held.jsonl", Line(6) + "\n" + Line(7));
        await Succeeds(
            _bench.RunOnModel(
                "train",
                [
                    "--data",
                    "{data.jsonl}",
                    "--steps",
                    "60",
                    "--batch",
                    "3",
                    "--learning-rate",
                    "0.02",
                    "--held-out",
                    heldOut,
                    "--recall-at",
                    "2,30",
                    "--out",
                    "{m}",
                    "--json",
                    "{train.json}",
                    "--accumulate",
                    "2",
                    "--responses",
                    "own",
                    "--temperature",
                    "0.5",
                ]
            )
        );
        var json = _bench.Json("train.json");
        var (before, after) = (json.GetProperty("before"), json.GetProperty("after"));
        Assert.Equal(2, before.GetProperty("prompts").GetInt32());
        double Divergence(JsonElement quality) => quality.GetProperty("divergence").GetDouble();
        Assert.True(Divergence(after) < Divergence(before), $"{Divergence(before)} → {Divergence(after)}");
        Assert.InRange(after.GetProperty("spearman").GetDouble(), -1, 1);
        Assert.InRange(after.GetProperty("recall").GetProperty("2").GetDouble(), 0, 1);
        Assert.InRange(after.GetProperty("textRecall").GetProperty("2").GetDouble(), 0, 1);
        Assert.Equal(JsonValueKind.Null, after.GetProperty("recall").GetProperty("30").ValueKind);
        Assert.Equal(Divergence(after), Divergence(_bench.Json("m/evaluation.json").GetProperty("after")));
        Assert.Equal("paper-llama", json.GetProperty("recipe").GetProperty("name").GetString());
    }

    [Fact]
    public async Task Training_on_texts_makes_its_prompts_answers_them_and_goes_on_where_it_was()
    {
        Directory.CreateDirectory(_bench["texts"]);
        _bench.Write(
            "texts/one.txt",
            string.Concat(Enumerable.Repeat("The river was cold. We walked on in the rain, and nobody spoke.\n", 60))
        );
        _bench.Write("recipe.json", """{"lengths": {"400": 1}, "promptsPerStep": 2, "mostFacts": 1}""");
        string[] fixedArguments =
        [
            "train",
            "--device",
            "cpu",
            "--texts",
            "{texts}",
            "--text-recipe",
            "{recipe.json}",
            "--template",
            _bench.Write("chatml.jinja", ChatTemplates.ChatMlText),
            "--max-response",
            "3",
            "--tokens",
            "2",
            "--rank",
            "1",
            "--rows",
            "max",
            "--target",
            "written",
            "--held-out",
            "1",
            "--out",
            "{modules}",
            "--json",
            "{train.json}",
        ];
        await Succeeds(_bench.Run([.. fixedArguments, "--steps", "1"]));
        await Succeeds(_bench.Run([.. fixedArguments, "--steps", "2"]));
        var json = _bench.Json("train.json");
        Assert.Equal(2, json.GetProperty("step").GetInt32());
        Assert.Equal("texts", json.GetProperty("recipe").GetProperty("name").GetString());
        Assert.True(json.GetProperty("lastStep").GetProperty("prefill").GetDouble() > 0);
        Assert.Equal(2, File.ReadLines(_bench["modules/curve.jsonl"]).Count());
        Assert.False(File.Exists(_bench["modules/responses.jsonl"]));
        Assert.Equal(2, _bench.Json("modules/text-recipe.json").GetProperty("promptsPerStep").GetInt32());
        Assert.Equal("max", _bench.Json("modules/lookahead.json").GetProperty("rows").GetString());
    }

    [Fact]
    public async Task Caches_are_held_against_the_full_one_where_nobody_knows_the_answer()
    {
        Directory.CreateDirectory(_bench["texts"]);
        _bench.Write(
            "texts/one.txt",
            string.Concat(Enumerable.Repeat("The river was cold. We walked on in the rain, and nobody spoke.\n", 60))
        );
        string[] arguments = ["compare", "--device", "cpu", "--texts", "{texts}", "--template", "raw", "--length", "200", "--samples", "2"];
        await Succeeds(
            _bench.Run([
                .. arguments,
                "--policies",
                "full,snapkv,keydiff",
                "--budgets",
                "48",
                "--fidelity-tokens",
                "4",
                "--baseline",
                "snapkv",
                "--json",
                "{compare.json}",
            ])
        );
        var json = _bench.Json("compare.json");
        var rows = json.GetProperty("results").EnumerateArray().ToLookup(row => row.GetProperty("policy").GetString());
        Assert.All(
            rows["full"],
            row =>
            {
                Assert.Equal(0, row.GetProperty("fidelity").GetProperty("divergence").GetDouble());
                Assert.Equal(JsonValueKind.Null, row.GetProperty("accuracy").ValueKind);
            }
        );
        Assert.All(rows["keydiff"], row => Assert.True(row.GetProperty("fidelity").GetProperty("divergence").GetDouble() > 0));
        Assert.Equal(6, json.GetProperty("prompts").GetArrayLength());
        Assert.All(json.GetProperty("paired").EnumerateArray(), row => Assert.Equal("keydiff", row.GetProperty("policy").GetString()));

        var agnostic = await _bench.Run([.. arguments, "--policies", "full,snapkv", "--query", "agnostic"]);
        Assert.Contains("run them query-aware", agnostic.Error);
        var unknown = await _bench.Run([.. arguments, "--policies", "full,snapkv", "--baseline", "oracle"]);
        Assert.Contains("--baseline oracle is none of --policies; name one of full, snapkv", unknown.Error);
        Assert.Equal((1, 1), (agnostic.ExitCode, unknown.ExitCode));
    }

    [Fact]
    public async Task A_random_folder_trains()
    {
        await Succeeds(
            _bench.Run("random", "--shape", "llama-100m", "--out", "{random}", "--prompts", "2", "--length", "30", "--device", "cpu")
        );
        Assert.Equal(2, File.ReadLines(_bench["random/prompts.jsonl"]).Count());
        string[] arguments = ["--model", "{random}", "--data", "{random/prompts.jsonl}", "--out", "{modules}", "--device", "cpu"];
        await Succeeds(
            _bench.Run([
                "train",
                .. arguments,
                "--steps",
                "1",
                "--batch",
                "1",
                "--max-response",
                "2",
                "--dtype",
                "bfloat16",
                "--json",
                "{train.json}",
            ])
        );
        Assert.True(_bench.Json("train.json").GetProperty("loss").GetDouble() < 0.1); // random weights attend evenly
    }
}
