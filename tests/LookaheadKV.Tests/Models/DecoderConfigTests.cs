using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Models;

public sealed class DecoderConfigTests
{
    private const string Common = """
        "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "vocab_size": 128256, "hidden_size": 2048, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 8192, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05
        """;

    [Fact]
    public void Transformers_4()
    {
        var config = Read(
            $$"""{ {{Common}}, "rope_theta": 500000.0, "rope_scaling": null, "torch_dtype": "bfloat16", "eos_token_id": 128001 }"""
        );
        Assert.Equal(
            (128256, 2048, 16, 32, 8),
            (config.VocabularySize, config.Width, config.Layers, config.QueryHeads, config.KeyValueHeads)
        );
        Assert.Equal((64, 8192, 131072), (config.HeadSize, config.IntermediateSize, config.MaxPositions));
        Assert.Equal((500_000.0, 1e-5, false), (config.RopeTheta, config.RmsNormEpsilon, config.TiedEmbeddings));
        Assert.Equal([128001], config.EndTokens);
    }

    [Fact]
    public void Transformers_5()
    {
        var config = Read(
            $$"""
            { {{Common}}, "rope_parameters": { "rope_type": "default", "rope_theta": 250000.0 }, "dtype": "bfloat16", "head_dim": 128,
              "tie_word_embeddings": true, "eos_token_id": [7, 9] }
            """
        );
        Assert.Equal((250_000.0, 128, true), (config.RopeTheta, config.HeadSize, config.TiedEmbeddings));
        Assert.Equal([7, 9], config.EndTokens);
    }

    [Fact]
    public void Without_key_value_heads_every_query_head_has_its_own() =>
        Assert.Equal(32, Read($"{{ {Common.Replace("\"num_key_value_heads\": 8,", "", StringComparison.Ordinal)} }}").KeyValueHeads);

    [Theory]
    [InlineData("\"LlamaForCausalLM\"", "\"FalconForCausalLM\"", "FalconForCausalLM")]
    [InlineData("\"silu\"", "\"gelu\"", "gelu")]
    [InlineData("\"vocab_size\": 128256", "\"vocab_size\": -1", "vocab_size is -1")]
    [InlineData("\"vocab_size\": 128256", "\"vocab_size\": \"many\"", "vocab_size")]
    [InlineData("\"vocab_size\": 128256", "\"vocab_size\": 1.5", "vocab_size is 1.5")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"eos_token_id\": [1, \"two\"]", "eos_token_id")]
    [InlineData("\"num_key_value_heads\": 8", "\"num_key_value_heads\": 5", "num_attention_heads 32 is not a multiple")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor 0.5 is not implemented")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_scaling\": { \"rope_type\": \"a\\nb\" }", "rope_type \"a\\nb\" is not implemented")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"quantization_config\": { }", "quantization_config")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"use_sliding_window\": true", "use_sliding_window")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", "sliding_attention")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"head_dim\": 7", "head_dim")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_scaling\": { \"type\": \"longrope\", \"factor\": 2.0 }", "longrope")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_scaling\": { \"type\": \"linear\" }", "rope_scaling.factor")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_scaling\": { \"type\": \"linear\", \"factor\": 0.5 }", "rope_scaling.factor")]
    [InlineData(
        "\"rms_norm_eps\": 1e-05",
        "\"rope_parameters\": { \"rope_type\": \"linear\", \"factor\": 2, \"beta_fast\": 1 }",
        "beta_fast"
    )]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_parameters\": { \"rope_type\": \"default\", \"mrope_section\": [1] }", "mrope_section")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8.0 }", "low_freq_factor")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rope_theta\": 0", "rope_theta")]
    public void What_is_not_implemented_is_refused_by_name(string part, string replacement, string named) =>
        Refused(Common.Replace(part, replacement, StringComparison.Ordinal), named);

    [Fact]
    public void Rows_see_all_of_what_fits_a_window()
    {
        var config = TinyDecoder.Config with { SlidingWindow = 12 };
        config.RequireWholeAttention(12);
        Assert.Contains("13 tokens", Assert.Throws<InputException>(() => config.RequireWholeAttention(13)).Message);
        TinyDecoder.Config.RequireWholeAttention(1 << 20);
    }

    [Fact]
    public void Not_json() => Assert.Contains("not JSON", Assert.Throws<InputException>(() => Read("{ \"vocab_size\": ")).Message);

    [Fact]
    public void Not_there() =>
        Assert.Contains(
            "no such file",
            Assert.Throws<InputException>(() => DecoderConfig.Load(Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString()))).Message
        );

    private static void Refused(string body, string named)
    {
        var message = Assert.Throws<InputException>(() => Read($"{{ {body} }}")).Message;
        Assert.Contains(named, message);
        Assert.DoesNotContain("\n", message);
    }

    private static DecoderConfig Read(string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], json);
        return DecoderConfig.Load(folder["config.json"]);
    }
}
