using System.Text.Json;

namespace LookaheadKV.Models;

/// <summary>
/// The shape of a decoder-only language model, as <c>config.json</c> of a Hugging Face folder states it.
/// Letters of the documentation: E width, L layers, H query heads, G key/value heads, D head size.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary>Entries of the vocabulary.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>E, the model width (<c>hidden_size</c>).</summary>
    public required int Width { get; init; }

    /// <summary>L, the number of layers (<c>num_hidden_layers</c>).</summary>
    public required int Layers { get; init; }

    /// <summary>H, query heads a layer (<c>num_attention_heads</c>).</summary>
    public required int QueryHeads { get; init; }

    /// <summary>G, key/value heads a layer (<c>num_key_value_heads</c>); divides H.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>D, the size of one head (<c>head_dim</c>).</summary>
    public required int HeadSize { get; init; }

    /// <summary>Width of the feed-forward block (<c>intermediate_size</c>).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Longest sequence the model was trained for (<c>max_position_embeddings</c>), prompt and answer together.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Base of the rotary frequencies (<c>rope_theta</c>).</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Epsilon of the RMS norms (<c>rms_norm_eps</c>).</summary>
    public double RmsNormEpsilon { get; init; } = 1e-5;

    /// <summary>Whether the output head is the embedding table (<c>tie_word_embeddings</c>).</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Tokens that end an answer (<c>eos_token_id</c>: one or several).</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>H / G: how many query heads share one key/value head.</summary>
    public int GroupSize => QueryHeads / KeyValueHeads;

    /// <summary>Bytes of one cached token over all layers and heads: <c>2·L·G·D·sizeof</c>.</summary>
    /// <param name="elementSize">Bytes of one element, 4 for float32, 2 for bfloat16.</param>
    public long CacheBytesPerToken(int elementSize) => 2L * Layers * KeyValueHeads * HeadSize * elementSize;

    /// <summary>Reads <c>config.json</c> of a Hugging Face folder, in the form of transformers 4 (<c>rope_theta</c>) or 5 (<c>rope_parameters</c>).</summary>
    /// <exception cref="InputException">The file is missing, is not JSON, lacks a key, or names an architecture or option that is not implemented.</exception>
    public static DecoderConfig Load(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file; --model takes `nano` or a Hugging Face folder with config.json in it.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path));
            return Parse(new ConfigReader(path, document.RootElement));
        }
        catch (JsonException e)
        {
            throw new InputException($"{path}: not valid JSON ({e.Message}); fetch the file again.", e);
        }
    }

    private static DecoderConfig Parse(ConfigReader config)
    {
        var architecture = config.Strings("architectures").FirstOrDefault() ?? config.String("model_type");
        config.Refuse("architectures", architecture, "LlamaForCausalLM", "llama");
        config.Refuse("hidden_act", config.String("hidden_act", "silu"), "silu");
        config.Refuse("attention_bias", config.Bool("attention_bias", false), false);
        config.Refuse("mlp_bias", config.Bool("mlp_bias", false), false);

        var rope = config.Object("rope_parameters") ?? config.Object("rope_scaling");
        var ropeType = rope?.String("rope_type", null) ?? rope?.String("type", null) ?? "default";
        config.Refuse(rope is null ? "rope_scaling" : "rope_type", ropeType, "default");

        var width = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var kvHeads = config.Int("num_key_value_heads", heads);
        if (heads % kvHeads != 0)
            throw new InputException($"{config.Path}: num_attention_heads {heads} is not a multiple of num_key_value_heads {kvHeads}.");

        return new DecoderConfig
        {
            VocabularySize = config.Int("vocab_size"),
            Width = width,
            Layers = config.Int("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = kvHeads,
            HeadSize = config.Int("head_dim", width / heads),
            IntermediateSize = config.Int("intermediate_size"),
            MaxPositions = config.Int("max_position_embeddings"),
            RopeTheta = config.Object("rope_parameters")?.Double("rope_theta", null) ?? config.Double("rope_theta", null) ?? 10_000,
            RmsNormEpsilon = config.Double("rms_norm_eps", 1e-6)!.Value,
            TiedEmbeddings = config.Bool("tie_word_embeddings", false),
            EndTokens = config.Ints("eos_token_id"),
        };
    }
}
