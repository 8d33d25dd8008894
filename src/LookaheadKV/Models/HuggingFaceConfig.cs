using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Models;

/// <summary>
/// What <c>config.json</c> says of a model, family by family. A key that is not there, or null, has the value that the family's class in
/// transformers gives it; an architecture or option that changes the numbers and is not implemented is refused by name.
/// </summary>
internal static class HuggingFaceConfig
{
    private static readonly IReadOnlyList<LinearName> QueryKeyValue = [LinearName.Query, LinearName.Key, LinearName.Value];
    private static readonly IReadOnlyList<LinearName> FeedForward = [LinearName.Gate, LinearName.Up, LinearName.Down];

    // Those of LlamaConfig, MistralConfig, Qwen2Config and Qwen3Config.
    private static readonly Family[] Families =
    [
        new("LlamaForCausalLM", "llama", 32_000, 11_008, null, null, 2_048, [2]),
        new("MistralForCausalLM", "mistral", 32_000, 14_336, 8, null, 131_072, [2]),
        new("Qwen2ForCausalLM", "qwen2", 151_936, 22_016, 32, null, 32_768, []),
        new("Qwen3ForCausalLM", "qwen3", 151_936, 22_016, 32, 128, 32_768, []),
    ];

    // A family and its class's defaults; those that all share stand where they are used. KeyValueHeads is null where the class takes as many
    // as query heads (all do where the key is null), HeadSize where it divides the width by the heads.
    private sealed record Family(
        string Architecture,
        string Type,
        int Vocabulary,
        int Intermediate,
        int? KeyValueHeads,
        int? HeadSize,
        int Positions,
        int[] EndTokens
    );

    public static DecoderConfig Parse(JsonField config)
    {
        var family = FamilyOf(config);
        Require(config["hidden_act"], "silu", "swish");
        RequireNumber(config["partial_rotary_factor"], 1);
        if (config["quantization_config"] is { Present: true } quantized)
            throw quantized.Wrong("is not implemented; use a folder with F32, F16 or BF16 weights");

        var width = Positive("hidden_size", 4_096);
        var heads = Positive("num_attention_heads", 32);
        var ofKeys = config["num_key_value_heads"];
        var kvHeads = ofKeys.Or((ofKeys.IsNull ? null : family.KeyValueHeads) ?? heads, field => field.Positive());
        if (heads % kvHeads != 0)
            throw new InputException($"{config.Source}: num_attention_heads {heads} is not a multiple of num_key_value_heads {kvHeads}.");
        var headSize = Positive("head_dim", family.HeadSize ?? width / heads);
        if (headSize % 2 != 0)
            throw new InputException($"{config.Source}: a head size of {headSize} is odd; rotary positions need an even one (head_dim).");

        var positions = Positive("max_position_embeddings", family.Positions);
        var (theta, scaling) = RopeConfig.Parse(config, positions);
        var context = RopeScaling.Context(scaling, positions);
        return new DecoderConfig
        {
            VocabularySize = Positive("vocab_size", family.Vocabulary),
            Width = width,
            Layers = Positive("num_hidden_layers", 32),
            QueryHeads = heads,
            KeyValueHeads = kvHeads,
            HeadSize = headSize,
            IntermediateSize = Positive("intermediate_size", family.Intermediate),
            MaxPositions = context,
            RopeTheta = theta,
            RopeScaling = scaling,
            SlidingWindow = SlidingWindow(config, family) is { } window && window < context ? window : null,
            Biases = Biases(config, family),
            QueryKeyNorm = family.Type == "qwen3",
            RmsNormEpsilon = config["rms_norm_eps"].Or(1e-6, field => field.Number()),
            TiedEmbeddings = config["tie_word_embeddings"].Flag(false),
            EndTokens = EndTokens(config),
        };

        int Positive(string name, int absent) => config[name].Or(absent, field => field.Positive());
    }

    /// <summary>The end tokens that a configuration names, or those of its class.</summary>
    public static IReadOnlyList<int> EndTokens(JsonField config) =>
        config["eos_token_id"] is { IsGiven: true } given ? [.. given.OneOrMany().Select(id => id.Integer())] : FamilyOf(config).EndTokens;

    private static Family FamilyOf(JsonField config)
    {
        var architecture = config["architectures"].Or(default, field => field.Items().FirstOrDefault());
        if (architecture.Present)
            return Known(architecture, family => family.Architecture);
        return config["model_type"] is { Present: true } type
            ? Known(type, family => family.Type)
            : throw new InputException(
                $"{config.Source}: neither architectures nor model_type is there; is this the config.json of a language model?"
            );

        static Family Known(JsonField field, Func<Family, string> name)
        {
            Require(field, [.. Families.Select(name)]);
            return Families.Single(family => name(family) == field.Text());
        }
    }

    private static IReadOnlyList<LinearName> Biases(JsonField config, Family family)
    {
        var attention = config["attention_bias"].Flag(false);
        switch (family.Type)
        {
            case "qwen2":
                return QueryKeyValue;
            case "mistral":
                Refuse(config["attention_bias"]);
                return [];
            case "qwen3":
                return attention ? [.. QueryKeyValue, LinearName.Output] : [];
            default:
                return
                [
                    .. attention ? [.. QueryKeyValue, LinearName.Output] : Array.Empty<LinearName>(),
                    .. config["mlp_bias"].Flag(false) ? FeedForward : [],
                ];
        }
    }

    private static int? SlidingWindow(JsonField config, Family family)
    {
        Refuse(config["use_sliding_window"]);
        var window = config["sliding_window"];
        if (family.Type == "mistral")
            return window.IsNull ? null : window.Or(4_096, field => field.Positive());
        foreach (var type in config["layer_types"].OneOrMany())
            Require(type, "full_attention");
        return null;
    }

    /// <summary>Refuses, by name, a text that is not one of those implemented.</summary>
    internal static void Require(JsonField field, params string[] implemented)
    {
        if (field.Present && !implemented.Contains(field.Text()))
            throw field.Wrong($"{Quoting.Quote(field.Text())} is not implemented; allowed: {string.Join(", ", implemented)}");
    }

    /// <summary>Refuses, by name, a number that is not the one implemented.</summary>
    internal static void RequireNumber(JsonField field, double implemented)
    {
        if (field.Present && field.Number() != implemented)
            throw field.Wrong(FormattableString.Invariant($"{field.Number()} is not implemented; allowed: {implemented}"));
    }

    private static void Refuse(JsonField field)
    {
        if (field.Flag(false))
            throw field.Wrong("true is not implemented; allowed: false");
    }
}
