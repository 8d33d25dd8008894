using LookaheadKV.Checkpoints;
using LookaheadKV.Tests.Text;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cli;

/// <summary>Every bad input ends in one line on stderr that names what is wrong, the right exit code, and no new file.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    private async Task Fails(int exitCode, string part, string verb, params string[] arguments)
    {
        var before = _bench.Files.ToList();
        var ran = await _bench.RunOnModel(verb, arguments);
        Assert.Equal(exitCode, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Equal(ran.Error.Length - Environment.NewLine.Length, ran.Error.IndexOf(Environment.NewLine, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", ran.Error);
        Assert.Equal(before, _bench.Files);
    }

    private Task LogitsFail(string part) =>
        Fails(1, part, "logits", "--ids", "{ids.json}", "--out", "{out.safetensors}", "--json", "{out.json}");

    [Theory]
    [InlineData("nope", "--policy: unknown policy \"nope\"; allowed: full, random, streaming, h2o, tova, snapkv")]
    [InlineData("snapkv[width=3]", "unknown option \"width\"; allowed: pool, group, sinks, window")]
    public Task An_unknown_policy(string policy, string part) =>
        Fails(2, part, "keep", "--ids", "{ids.json}", "--policy", policy, "--budget", "4", "--out", "{out.json}");

    [Theory]
    [InlineData("0", "--budget: budget 0 keeps nothing")]
    [InlineData("lots", "--budget: budget \"lots\" is not understood")]
    public Task A_budget_that_is_none(string budget, string part) =>
        Fails(2, part, "keep", "--ids", "{ids.json}", "--policy", "random", "--budget", budget, "--out", "{out.json}");

    [Fact]
    public Task A_policy_without_a_budget() =>
        Fails(2, "--policy random needs a --budget", "keep", "--ids", "{ids.json}", "--policy", "random", "--out", "{out.json}");

    [Fact]
    public Task A_budget_below_the_protected_window() =>
        Fails(
            1,
            "budget 4 cannot hold the 8 protected tokens",
            "keep",
            "--ids",
            "{ids.json}",
            "--policy",
            "snapkv[window=8]",
            "--budget",
            "4",
            "--out",
            "{out.json}"
        );

    [Fact]
    public Task Modules_that_are_not_there() =>
        Fails(1, "lookahead train", "keep", "--ids", "{ids.json}", "--policy", "lookahead", "--budget", "4", "--out", "{out.json}");

    [Fact]
    public Task Ids_beyond_the_vocabulary()
    {
        var path = _bench.Write("ids.json", "[3, 16]");
        return LogitsFail($"{path}: token id 16 is outside the vocabulary 0..15");
    }

    [Theory]
    [InlineData("[]", "the prompt is empty")]
    [InlineData("[1, 2", "a JSON array of token ids")]
    [InlineData("[1.5]", "a JSON array of token ids")]
    [InlineData("{\"ids\": [1]}", "a JSON array of token ids")]
    [InlineData("null", "a JSON array of token ids")]
    public Task Ids_that_are_none(string content, string part)
    {
        _bench.Write("ids.json", content);
        return LogitsFail(part);
    }

    [Fact]
    public Task A_prompt_longer_than_the_context()
    {
        _bench.Write("ids.json", $"[{string.Join(',', Enumerable.Repeat(1, 33))}]");
        return LogitsFail("the prompt has 33 tokens, the model's context is 32");
    }

    [Fact]
    public async Task An_answer_that_does_not_fit()
    {
        await Fails(1, "leave 12 of the model's context of 32, 13 are needed", "generate", "--ids", "{ids.json}", "--max-new-tokens", "13");
        var full = _bench.Write("full.json", $"[{string.Join(',', Enumerable.Repeat(1, 32))}]");
        await Fails(1, $"{full}: 32 tokens leave 0", "generate", "--ids", "{full.json}");
        await Fails(
            1,
            $"{full}: prompt and response have 52",
            "importance",
            "--ids",
            "{ids.json}",
            "--response-ids",
            "{full.json}",
            "--out",
            "{o}"
        );
    }

    [Fact]
    public async Task A_place_that_cannot_be_written()
    {
        var missing = _bench[Path.Combine("missing", "out.json")];
        await Fails(1, $"cannot write {missing}", "keep", "--ids", "{ids.json}", "--policy", "full", "--out", missing);
        await Fails(1, $"cannot write {_bench.Model}", "logits", "--ids", "{ids.json}", "--out", _bench.Model);
        await Fails(1, $"cannot write {missing}", "generate", "--ids", "{ids.json}", "--json", missing);
    }

    [Fact]
    public Task A_prompt_file_that_is_missing() => Fails(1, "ids2.json cannot be read", "generate", "--ids", "{ids2.json}");

    [Fact]
    public Task Text_without_a_tokenizer() => Fails(1, "tokenizer.json", "generate", "--prompt", "hello");

    [Fact]
    public Task A_prompt_twice() =>
        Fails(2, "exactly one of --prompt, --prompt-file and --ids", "generate", "--prompt", "a", "--ids", "{ids.json}");

    [Fact]
    public Task An_unknown_option() => Fails(2, "--bogus", "generate", "--ids", "{ids.json}", "--bogus", "1");

    [Fact]
    public Task A_missing_option() => Fails(2, "--out", "logits", "--ids", "{ids.json}");

    [Fact]
    public async Task A_device_that_does_not_exist()
    {
        var ran = await _bench.Run("logits", "--model", "{model}", "--ids", "{ids.json}", "--out", "{o}", "--device", "tpu");
        Assert.Equal(2, ran.ExitCode);
        Assert.StartsWith("--device: Device 'tpu' is unknown; use cpu, cuda or cuda:N.", ran.Error);
    }

    [Fact]
    public Task A_type_that_is_not_supported() =>
        Fails(2, "float32 or bfloat16", "logits", "--ids", "{ids.json}", "--out", "{o}", "--dtype", "int8");

    [Fact]
    public Task A_folder_without_config()
    {
        File.Delete(Path.Combine(_bench.Model, "config.json"));
        return LogitsFail("config.json: no such file");
    }

    [Fact]
    public async Task A_config_that_lacks_a_key_or_is_no_JSON()
    {
        var path = Path.Combine(_bench.Model, "config.json");
        var config = File.ReadAllText(path);
        File.WriteAllText(path, config.Replace("num_hidden_layers", "layers"));
        await LogitsFail("missing (model.layers.");
        File.WriteAllText(path, config[..^20]);
        await LogitsFail($"{path}: line 29: not JSON");
    }

    [Fact]
    public async Task Weights_that_are_missing_or_truncated()
    {
        var path = Path.Combine(_bench.Model, "model.safetensors");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..^10]);
        await LogitsFail(path);
        File.Delete(path);
        await LogitsFail(path);
    }

    [Fact]
    public Task Weights_that_are_not_numbers()
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(_bench.Model, "model.safetensors");
        var tensors = new List<(string, Tensor)>();
        using (var file = SafetensorsFile.Open(path))
            tensors.AddRange(file.Names.Select(name => (name, file.Read(name))));
        tensors[0].Item2[0] = float.NaN;
        Safetensors.Write(path, tensors);
        return LogitsFail("holds NaN or infinity");
    }

    [Fact]
    public async Task A_model_that_does_not_exist()
    {
        var ran = await _bench.Run("logits", "--model", "{nothing}", "--ids", "{ids.json}", "--out", "{o}");
        Assert.Equal(1, ran.ExitCode);
        Assert.Equal(
            $"{_bench["nothing"]}: no such folder or file; --model takes `nano`, a Hugging Face folder, a .gguf file, or ORG/NAME[@REVISION] of the Hugging Face cache.{Environment.NewLine}",
            ran.Error
        );
    }

    [Theory]
    [InlineData("tasks", "--task", "riddle", "--task: unknown task 'riddle'")]
    [InlineData("compare", "--tasks", "single,riddle", "--tasks: unknown task 'riddle'")]
    [InlineData("compare", "--budgets", "64,0", "--budgets: budget 0 keeps nothing")]
    [InlineData("compare", "--policies", "random,h2", "--policies: unknown policy \"h2\"")]
    [InlineData("compare", "--samples", "0", "--samples: \"0\" is not a whole number of 1 or more")]
    [InlineData("riddle", "--a", "b", "'riddle'")]
    public async Task Usage_errors_of_other_verbs(string verb, string option, string value, string part)
    {
        var ran = await _bench.Run(verb, option, value, "--json", "{out.json}");
        Assert.Equal(2, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.False(File.Exists(_bench["out.json"]));
    }

    [Theory]
    [InlineData("{\"answer\": \"x\"}", "line 1: none of \"prompt_ids\", \"messages\" and \"prompt\" is there")]
    [InlineData("{\"prompt_ids\": [1, 99]}", "line 1: token id 99 is outside")]
    [InlineData("[1]", "line 1: the value is an array, must be an object")]
    [InlineData("{\"prompt_ids\": [1]}\n{\"prompt_ids\": [1", "line 2: not JSON")]
    [InlineData("{\"prompt\": \"hello\"}", "no tokenizer.json")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}", "no tokenizer.json")]
    [InlineData("", "holds no prompt")]
    public async Task Training_data_that_is_none(string content, string part)
    {
        _bench.Write("data.jsonl", content);
        var ran = await _bench.RunOnModel("train", "--data", "{data.jsonl}", "--steps", "1", "--out", "{run}");
        Assert.Equal(1, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.False(Path.Exists(_bench["run"]));
    }

    [Theory]
    [InlineData(2, "recipe \"best\" is unknown; use paper-llama, paper-qwen, small, texts", "--recipe", "best")]
    [InlineData(1, "--max-prompt 32 leaves no room for a response: the model attends to 32 tokens", "--max-prompt", "32")]
    [InlineData(2, "\"x\" is not one of own, given", "--responses", "x")]
    [InlineData(1, "an example has no response", "--responses", "given")]
    [InlineData(2, "120% cannot be held out", "--held-out", "120%")]
    [InlineData(1, "hold out fewer", "--held-out", "1")]
    [InlineData(2, "\"-1\" is not a number of 0 or more", "--temperature", "-1")]
    [InlineData(2, "\"0\" is not a number above 0", "--learning-rate", "0")]
    public async Task Training_options_that_make_no_sense(int exitCode, string part, string option, string value)
    {
        _bench.Write("data.jsonl", """{"prompt_ids": [1, 2, 3]}""");
        var ran = await _bench.RunOnModel("train", "--data", "{data.jsonl}", "--steps", "1", "--out", "{run}", option, value);
        Assert.Equal(exitCode, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Theory]
    [InlineData(2, "are both given", "--texts", "{texts}", "--data", "tasks")]
    [InlineData(2, "name their folder by --texts", "--text-recipe", "{recipe.json}")]
    [InlineData(1, "no such folder", "--texts", "{none}")]
    [InlineData(1, "holds no *.txt", "--texts", "{texts}")]
    [InlineData(1, "recipe.json: \"questionFirst\" is out of its range", "--texts", "{texts}", "--text-recipe", "{recipe.json}")]
    [InlineData(1, "the model's context is", "--texts", "{texts}", "--max-response", "100000")]
    [InlineData(2, "a share of prompts that are made is no number", "--texts", "{filled}", "--held-out", "5%")]
    public async Task Texts_to_train_on_that_are_none(int code, string part, params string[] arguments)
    {
        Directory.CreateDirectory(_bench["texts"]);
        Directory.CreateDirectory(_bench["filled"]);
        _bench.Write("filled/a.txt", string.Concat(Enumerable.Repeat("Some words. ", 100)));
        _bench.Write("recipe.json", """{"questionFirst": 2}""");
        string[] recipe = arguments.Contains("--text-recipe")
            ? []
            : ["--text-recipe", _bench.Write("good.json", """{"lengths": {"512": 1}}""")];
        if (!arguments.Contains("--texts"))
            recipe = [];
        var ran = await _bench.Run([
            "train",
            "--device",
            "cpu",
            "--template",
            _bench.Write("chatml.jinja", ChatTemplates.ChatMlText),
            "--steps",
            "1",
            "--out",
            "{run}",
            .. recipe,
            .. arguments,
        ]);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.False(Path.Exists(_bench["run"]));
    }
}
