using System.Text;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>Model folders and data with one damage each: one clear line that names it, whatever the verb was to do.</summary>
public sealed class DamagedInputTests : IDisposable
{
    private readonly Bench _bench = new();

    public DamagedInputTests() => RandomFolder.Write(Model, TinyDecoder.Config, shardBytes: 1500);

    private string Model => _bench["sharded"];

    public void Dispose() => _bench.Dispose();

    private string At(string file) => Path.Combine(Model, file);

    private static string Shard(int number) => $"model-{number:00000}-of-00003.safetensors";

    private void Replace(string file, string part, string replacement)
    {
        var text = File.ReadAllText(At(file));
        Assert.Contains(part, text);
        File.WriteAllText(At(file), text.Replace(part, replacement, StringComparison.Ordinal));
    }

    /// <summary>Same bytes, another word in the header of the same length.</summary>
    private void ReplaceInHeader(string file, string part, string replacement)
    {
        var bytes = File.ReadAllBytes(At(file));
        var at = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(part));
        Assert.True(at > 0 && part.Length == replacement.Length);
        Encoding.UTF8.GetBytes(replacement).CopyTo(bytes, at);
        File.WriteAllBytes(At(file), bytes);
    }

    private async Task Fails(string[] parts, string verb, params string[] arguments)
    {
        _bench.Write("few.json", "[1, 2, 3]");
        var ran = await _bench.Run([verb, "--model", Model, "--device", "cpu", .. arguments]);
        Assert.Equal(1, ran.ExitCode);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.All(parts, part => Assert.Contains(part, ran.Error));
        Assert.DoesNotContain("   at ", ran.Error);
    }

    private Task LoadingFails(params string[] parts) => Fails(parts, "generate", "--ids", "{few.json}");

    [Fact]
    public async Task The_folder_is_sound_before_it_is_damaged()
    {
        _bench.Write("few.json", "[1, 2, 3]");
        var ran = await _bench.Run("generate", "--model", Model, "--device", "cpu", "--ids", "{few.json}");
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        Assert.Equal(3, Directory.GetFiles(Model, "*.safetensors").Length);
    }

    [Fact]
    public Task A_missing_shard()
    {
        File.Delete(At(Shard(2)));
        return LoadingFails(Model, $"shard {Shard(2)}", "is missing");
    }

    [Fact]
    public Task An_index_that_names_a_tensor_which_its_shard_lacks()
    {
        Replace("model.safetensors.index.json", "\"model.norm.weight\"", "\"model.ghost.weight\"");
        return LoadingFails("model.safetensors.index.json", "model.");
    }

    [Fact]
    public Task An_index_with_a_tensor_more()
    {
        Replace("model.safetensors.index.json", "\"weight_map\":{", $"\"weight_map\":{{\"model.ghost.weight\":\"{Shard(1)}\",");
        return LoadingFails("model.safetensors.index.json", Shard(1), "1 tensors that it lacks (model.ghost.weight)");
    }

    [Fact]
    public Task A_tensor_of_eight_bit_floats()
    {
        // Two bytes an element become one, so the bytes no longer fit either; the type is what is told.
        ReplaceInHeader(Shard(1), "\"dtype\":\"BF16\"", "\"dtype\":\"F8_1\"");
        return LoadingFails(Shard(1), "dtype F8_1, which this reader does not know (it knows");
    }

    [Fact]
    public Task A_truncated_shard()
    {
        var bytes = File.ReadAllBytes(At(Shard(3)));
        File.WriteAllBytes(At(Shard(3)), bytes[..^7]);
        return LoadingFails(Shard(3), "no sound safetensors file");
    }

    [Theory]
    [InlineData("\"hidden_size\"", "\"hidden\"", "misshapen (model.embed_tokens.weight")]
    [InlineData(
        "LlamaForCausalLM",
        "GrokForCausalLM",
        "architectures[0] \"GrokForCausalLM\" is not implemented; allowed: LlamaForCausalLM"
    )]
    [InlineData("\"rope_type\": \"default\"", "\"rope_type\": \"spiral\"", "\"spiral\" is not implemented")]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "9 missing (model.layers.2.input_layernorm.weight")]
    public Task A_configuration_of_another_model(string part, string replacement, string told)
    {
        Replace("config.json", part, replacement);
        return LoadingFails(Model, told);
    }

    [Fact]
    public Task A_tokenizer_that_cuts_texts_in_an_unknown_way()
    {
        AddTokenizer();
        Replace("tokenizer.json", "\"ByteLevel\"", "\"ZigZag\"");
        return Fails(["tokenizer.json", "ZigZag"], "generate", "--prompt", "abc");
    }

    [Fact]
    public async Task A_chat_template_that_is_not_known()
    {
        AddTokenizer();
        File.WriteAllText(At("tokenizer_config.json"), """{"chat_template": "{{ messages | spell }}"}""");
        await Fails([Model, "line 1", "no filter 'spell'"], "generate", "--prompt", "abc", "--chat");
        _bench.Write("chat.jsonl", """{"messages": [{"role": "user", "content": "abc"}]}""");
        await Fails(["chat.jsonl: line 1: ", "no filter 'spell'"], "train", "--data", "{chat.jsonl}", "--out", "{run}");
    }

    [Fact]
    public Task Line_57_of_the_training_data()
    {
        var lines = Enumerable.Repeat("""{"prompt_ids": [1, 2, 3]}""", 80).ToArray();
        lines[56] = """{"prompt_ids": [1, 2, 3""";
        _bench.Write("data.jsonl", string.Join('\n', lines));
        return Fails(["data.jsonl: line 57: not JSON"], "train", "--data", "{data.jsonl}", "--out", "{run}");
    }

    [Fact]
    public async Task An_empty_prompt_and_one_over_the_context()
    {
        _bench.Write("none.json", "[]");
        _bench.Write("long.json", $"[{string.Join(", ", Enumerable.Repeat(1, 25))}]");
        await Fails(["none.json", "the prompt is empty"], "generate", "--ids", "{none.json}");
        await Fails(["long.json", "25 tokens", "context is 24"], "generate", "--ids", "{long.json}");
    }

    private void AddTokenizer()
    {
        var tokenizer = BpeTrainer.Train(["abc"], 260, [], SplitPatterns.Qwen2);
        tokenizer.Write(At("tokenizer.json"));
        Assert.NotNull(JsonNode.Parse(File.ReadAllText(At("tokenizer.json")))!["pre_tokenizer"]);
    }
}
