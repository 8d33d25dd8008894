using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Models.Families;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>What a config.json leaves out, family by family, what it may say, and that a written one is read as it was.</summary>
public sealed class HuggingFaceConfigTests
{
    private const string Sizes = """
        "vocab_size": 100, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 32,
        "max_position_embeddings": 8192
        """;

    private static readonly LinearName[] Attention = [LinearName.Query, LinearName.Key, LinearName.Value];

    /// <summary>The values that the family's class in transformers gives to keys that are not there.</summary>
    [Theory]
    [InlineData("llama", 8, 8)]
    [InlineData("qwen2", 2, 8)]
    [InlineData("qwen3", 2, 128)]
    [InlineData("mistral", 2, 8)]
    [InlineData("olmo2", 8, 8)]
    public void Absent_keys_have_the_familys_values(string type, int kvHeads, int headSize)
    {
        // Those of other families than Llama have a number of their own there, which depends on no other key.
        var given = kvHeads == 8 ? "" : ", \"num_key_value_heads\": 2";
        var config = Read($$"""{ "model_type": "{{type}}", {{Sizes}}{{given}} }""");
        Assert.Equal((kvHeads, headSize, 8 / kvHeads), (config.KeyValueHeads, config.HeadSize, config.GroupSize));
        Assert.Equal((10_000, type == "olmo2" ? 1e-5 : 1e-6, false), (config.RopeTheta, config.RmsNormEpsilon, config.TiedEmbeddings));
        Assert.Equal(type == "mistral" ? 4096 : null, config.SlidingWindow);
        Assert.Equal(type == "qwen2" ? Attention : [], config.Biases);
        Assert.Equal(
            type switch
            {
                "qwen3" => (BlockNorms.Before, QueryKeyNorm.Heads),
                "olmo2" => (BlockNorms.After, QueryKeyNorm.Whole),
                _ => (BlockNorms.Before, QueryKeyNorm.None),
            },
            (config.Norms, config.QueryKeyNorm)
        );
        Assert.Null(config.RopeScaling);
        Assert.Equal(
            type is "llama" or "mistral" ? [2]
                : type == "olmo2" ? [50_279]
                : [],
            config.EndTokens
        );
        Assert.Equal(8192, config.MaxPositions);
    }

    // What the classes of transformers have where a key is absent; a null counts as absent, but that all then take as many key/value heads as query heads.
    [Theory]
    [InlineData("llama", 32_000, 11_008, 32, 128, 2_048)]
    [InlineData("mistral", 32_000, 14_336, 8, 128, 131_072)]
    [InlineData("qwen2", 151_936, 22_016, 32, 128, 32_768)]
    [InlineData("qwen3", 151_936, 22_016, 32, 128, 32_768)]
    [InlineData("olmo2", 50_304, 11_008, 32, 128, 2_048)]
    public void Without_any_key_a_config_is_that_of_the_familys_class(
        string type,
        int vocabulary,
        int intermediate,
        int kvHeads,
        int headSize,
        int positions
    )
    {
        string[] keys =
        [
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "head_dim",
            "hidden_act",
            "max_position_embeddings",
            "rms_norm_eps",
            "rope_theta",
            "rope_scaling",
            "tie_word_embeddings",
            "attention_bias",
            "use_sliding_window",
        ];
        var absent = Read($$"""{ "model_type": "{{type}}" }""");
        Assert.Equal(
            (vocabulary, 4_096, intermediate, 32, 32),
            (absent.VocabularySize, absent.Width, absent.IntermediateSize, absent.Layers, absent.QueryHeads)
        );
        Assert.Equal((kvHeads, headSize, positions), (absent.KeyValueHeads, absent.HeadSize, absent.MaxPositions));
        var nulls = Read($$"""{ "model_type": "{{type}}", {{string.Join(", ", keys.Select(key => $"\"{key}\": null"))}} }""");
        Assert.Equal(absent with { EndTokens = [], Biases = [] }, nulls with { EndTokens = [], Biases = [] });
        Assert.Equal(32, Read($$"""{ "model_type": "{{type}}", "num_key_value_heads": null }""").KeyValueHeads);
    }

    [Theory]
    [InlineData("\"sliding_window\": 1024", 1024)]
    [InlineData("\"sliding_window\": 8191", 8191)]
    [InlineData("\"sliding_window\": 8192", null)] // hides nothing
    [InlineData("\"sliding_window\": 9000", null)]
    [InlineData("\"sliding_window\": null", null)]
    public void A_window_counts_where_it_is_shorter_than_the_context(string key, int? window) =>
        Assert.Equal(window, Read($$"""{ "model_type": "mistral", {{Sizes}}, "num_key_value_heads": 2, {{key}} }""").SlidingWindow);

    [Theory]
    [InlineData("llama", true, false, "Query Key Value Output")]
    [InlineData("llama", false, true, "Gate Up Down")]
    [InlineData("llama", true, true, "Query Key Value Output Gate Up Down")]
    [InlineData("qwen3", true, true, "Query Key Value Output")]
    [InlineData("qwen2", false, true, "Query Key Value")]
    [InlineData("olmo2", true, true, "Query Key Value Output")]
    public void Biases_are_those_of_the_family_and_its_keys(string type, bool attention, bool feedForward, string names)
    {
        var keys = $"\"attention_bias\": {(attention ? "true" : "false")}, \"mlp_bias\": {(feedForward ? "true" : "false")}";
        var config = Read($$"""{ "model_type": "{{type}}", {{Sizes}}, "num_key_value_heads": 2, {{keys}} }""");
        Assert.Equal(names.Split(' ').Select(Enum.Parse<LinearName>), config.Biases);
    }

    [Theory]
    [InlineData("\"model_type\": \"mistral\", \"attention_bias\": true", "attention_bias true is not implemented; allowed: false")]
    [InlineData("\"model_type\": \"gpt2\"", "model_type \"gpt2\" is not implemented; allowed: llama, mistral, qwen2, qwen3, olmo2")]
    [InlineData("\"architectures\": []", "neither architectures nor model_type is there")]
    [InlineData("\"architectures\": \"LlamaForCausalLM\"", "architectures is \"LlamaForCausalLM\", must be an array")]
    [InlineData("\"model_type\": \"llama\", \"head_dim\": 0", "head_dim is 0, must be a positive whole number")]
    [InlineData("\"model_type\": \"llama\", \"rms_norm_eps\": \"x\"", "rms_norm_eps is \"x\", must be a number")]
    [InlineData("\"model_type\": \"llama\", \"tie_word_embeddings\": 1", "tie_word_embeddings is 1, must be true or false")]
    [InlineData("\"model_type\": \"llama\", \"hidden_act\": 1", "hidden_act is 1, must be a string")]
    [InlineData("\"model_type\": \"llama\", \"eos_token_id\": \"x\"", "eos_token_id is \"x\", must be a whole number")]
    [InlineData("\"model_type\": \"llama\", \"rope_scaling\": 2", "rope_scaling is 2, must be an object")]
    [InlineData("\"model_type\": \"llama\", \"layer_types\": [\"sliding_attention\"]", "layer_types[0] \"sliding_attention\"")]
    [InlineData("\"model_type\": \"llama\", \"head_dim\": 9", "a head size of 9 is odd")]
    public void What_is_wrong_is_told_with_key_and_value(string keys, string part) =>
        Assert.Contains(part, Assert.Throws<InputException>(() => Read($"{{ {Sizes}, \"num_key_value_heads\": 2, {keys} }}")).Message);

    [Fact]
    public void A_model_may_be_named_by_either_key_and_layers_of_full_attention_may_be_listed() =>
        Assert.Equivalent(
            Read($$"""{ "architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": 2, {{Sizes}}, "layer_types": ["full_attention"] }"""),
            Read($$"""{ "model_type": "qwen3", "num_key_value_heads": 2, {{Sizes}} }"""),
            strict: true
        );

    public static TheoryData<string> Families() => ["llama", "llama tied", "qwen2", "qwen3", "olmo2", "ends"];

    [Theory]
    [MemberData(nameof(Families))]
    public void A_written_config_is_read_as_it_was(string family)
    {
        var config = TinyDecoder.Config with { RopeTheta = 12_345, RmsNormEpsilon = 3e-5, EndTokens = [] };
        config = family switch
        {
            "llama tied" => config with { TiedEmbeddings = true },
            "qwen2" => config with { Biases = Attention },
            "qwen3" => config with { QueryKeyNorm = QueryKeyNorm.Heads },
            "olmo2" => config with { Norms = BlockNorms.After, QueryKeyNorm = QueryKeyNorm.Whole, WeightNames = Olmo2.Family.WeightNames },
            "ends" => config with { EndTokens = [3, 1] },
            _ => config,
        };
        foreach (var (dtype, name) in new[] { (ScalarType.Float32, "float32"), (ScalarType.BFloat16, "bfloat16") })
        {
            var json = ConfigWriter.Json(config, dtype);
            Assert.Equivalent(config, Read(json), strict: true);
            Assert.Contains($"\"dtype\": \"{name}\"", json);
            Assert.Equal(family != "ends", json.Contains("\"eos_token_id\": null"));
        }
    }

    [Theory]
    [InlineData("scaling")]
    [InlineData("window")]
    [InlineData("biases")]
    [InlineData("biases and norms")]
    [InlineData("norms")]
    public void What_no_family_has_is_not_written(string what)
    {
        var config = TinyDecoder.Config;
        config = what switch
        {
            "scaling" => config with { RopeScaling = new RopeScaling.Linear(2) },
            "window" => config with { SlidingWindow = 8 },
            "biases" => config with { Biases = [LinearName.Output] },
            "norms" => config with { Norms = BlockNorms.Both },
            _ => config with { Biases = Attention, QueryKeyNorm = QueryKeyNorm.Heads },
        };
        Assert.Throws<InputException>(() => ConfigWriter.Json(config, ScalarType.Float32));
    }

    [Fact]
    public void Bytes_of_a_cached_token_are_keys_and_values_of_all_layers_and_heads() =>
        Assert.Equal(
            (2 * 2 * 2 * 4 * 4, 2 * 2 * 2 * 4 * 2),
            (TinyDecoder.Config.CacheBytesPerToken(4), TinyDecoder.Config.CacheBytesPerToken(2))
        );

    private static DecoderConfig Read(string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], json);
        return DecoderConfig.Load(folder["config.json"]);
    }
}
