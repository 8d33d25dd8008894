namespace LookaheadKV.Models;

/// <summary>
/// What <c>config.json</c> says of a model, family by family. A key that is not there has the value that the family's class in transformers
/// gives it; an architecture or option that changes the numbers and is not implemented is refused by name.
/// </summary>
internal static class HuggingFaceConfig
{
    private static readonly IReadOnlyList<LinearName> QueryKeyValue = [LinearName.Query, LinearName.Key, LinearName.Value];
    private static readonly IReadOnlyList<LinearName> FeedForward = [LinearName.Gate, LinearName.Up, LinearName.Down];

    private enum Family
    {
        Llama,
        Qwen2,
        Qwen3,
        Mistral,
    }

    public static DecoderConfig Parse(ConfigReader config)
    {
        var family = FamilyOf(config);
        config.Refuse("hidden_act", config.String("hidden_act", "silu"), "silu");
        config.Refuse("partial_rotary_factor", config.Double("partial_rotary_factor", 1), 1);
        config.RefuseKey("quantization_config", "use a folder with F32, F16 or BF16 weights");

        var width = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var kvHeads = config.Int("num_key_value_heads", family == Family.Llama ? heads : null);
        if (heads % kvHeads != 0)
            throw new InputException($"{config.Path}: num_attention_heads {heads} is not a multiple of num_key_value_heads {kvHeads}.");
        var headSize = config.Int("head_dim", family == Family.Qwen3 ? 128 : width / heads);
        if (headSize % 2 != 0)
            throw new InputException($"{config.Path}: a head size of {headSize} is odd; rotary positions need an even one (head_dim).");

        var positions = config.Int("max_position_embeddings");
        var (theta, scaling) = RopeConfig.Parse(config, positions);
        var context = RopeScaling.Context(scaling, positions);
        return new DecoderConfig
        {
            VocabularySize = config.Int("vocab_size"),
            Width = width,
            Layers = config.Int("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = kvHeads,
            HeadSize = headSize,
            IntermediateSize = config.Int("intermediate_size"),
            MaxPositions = context,
            RopeTheta = theta,
            RopeScaling = scaling,
            SlidingWindow = SlidingWindow(config, family) is { } window && window < context ? window : null,
            Biases = Biases(config, family),
            QueryKeyNorm = family == Family.Qwen3,
            RmsNormEpsilon = config.Double("rms_norm_eps", 1e-6)!.Value,
            TiedEmbeddings = config.Bool("tie_word_embeddings", false),
            EndTokens = config.Ints("eos_token_id"),
        };
    }

    private static Family FamilyOf(ConfigReader config)
    {
        (Family Family, string Architecture, string Type)[] known =
        [
            (Family.Llama, "LlamaForCausalLM", "llama"),
            (Family.Qwen2, "Qwen2ForCausalLM", "qwen2"),
            (Family.Qwen3, "Qwen3ForCausalLM", "qwen3"),
            (Family.Mistral, "MistralForCausalLM", "mistral"),
        ];
        if (config.Strings("architectures").FirstOrDefault() is { } architecture)
        {
            config.Refuse("architectures", architecture, [.. known.Select(row => row.Architecture)]);
            return known.Single(row => row.Architecture == architecture).Family;
        }
        var type = config.String("model_type");
        config.Refuse("model_type", type, [.. known.Select(row => row.Type)]);
        return known.Single(row => row.Type == type).Family;
    }

    private static IReadOnlyList<LinearName> Biases(ConfigReader config, Family family)
    {
        var attention = config.Bool("attention_bias", false);
        switch (family)
        {
            case Family.Qwen2:
                return QueryKeyValue;
            case Family.Mistral:
                config.Refuse("attention_bias", attention, false);
                return [];
            case Family.Qwen3:
                return attention ? [.. QueryKeyValue, LinearName.Output] : [];
            default:
                return
                [
                    .. attention ? [.. QueryKeyValue, LinearName.Output] : Array.Empty<LinearName>(),
                    .. config.Bool("mlp_bias", false) ? FeedForward : [],
                ];
        }
    }

    private static int? SlidingWindow(ConfigReader config, Family family)
    {
        config.Refuse("use_sliding_window", config.Bool("use_sliding_window", false), false);
        if (family == Family.Mistral)
            return config.Has("sliding_window") ? config.IntOrNull("sliding_window") : 4096;
        foreach (var type in config.Strings("layer_types"))
            config.Refuse("layer_types", type, "full_attention");
        return null;
    }
}
