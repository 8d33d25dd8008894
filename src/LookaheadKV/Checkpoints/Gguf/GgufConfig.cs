using System.Text.Json.Nodes;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>The config.json and generation_config.json that a Hugging Face folder of the same model has; what a file leaves out is as in llama.cpp.</summary>
internal static class GgufConfig
{
    // Each would change the numbers. Zero, or false, is the same as not there.
    private static readonly string[] Refused =
    [
        "expert_count",
        "attention.scale",
        "attention.clamp_kqv",
        "attention.max_alibi_bias",
        "attention.sliding_window",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "embedding_scale",
        "residual_scale",
        "logit_scale",
    ];

    /// <exception cref="InputException">A setting is missing, or is not implemented.</exception>
    public static JsonObject Config(GgufFile file, GgufFamily family)
    {
        var metadata = file.Metadata;
        foreach (var key in Refused.Select(family.Key).Where(key => metadata.NumberOrNull(key) is not (null or 0)))
            throw new InputException($"{metadata.Path}: metadata {key} is not implemented.");
        var shape = GgufShape.Of(file, family);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["model_type"] = family.ModelType,
            ["vocab_size"] = shape.Vocabulary,
            ["hidden_size"] = shape.Width,
            ["intermediate_size"] = metadata.CountOfLayers(family.Key("feed_forward_length")),
            ["num_hidden_layers"] = shape.Layers,
            ["num_attention_heads"] = shape.QueryHeads,
            ["num_key_value_heads"] = shape.KeyValueHeads,
            ["head_dim"] = shape.HeadSize,
            ["hidden_act"] = "silu",
            ["max_position_embeddings"] = metadata.Count(family.Key("context_length")),
            ["rms_norm_eps"] =
                metadata.NumberOrNull(family.Key("attention.layer_norm_rms_epsilon"))
                ?? throw metadata.Missing(family.Key("attention.layer_norm_rms_epsilon")),
            ["tie_word_embeddings"] = file.Find("output.weight") is null,
            ["attention_bias"] = file.Find("blk.0.attn_q.bias") is not null,
        };
        if (family.ModelType == "llama")
            config["mlp_bias"] = file.Find("blk.0.ffn_up.bias") is not null;
        foreach (var (key, value) in GgufRope.Settings(file, family, shape.HeadSize))
            config[key] = value;
        var tokens = GgufSpecialTokens.Of(metadata);
        config["bos_token_id"] = tokens.Begin;
        config["eos_token_id"] = tokens.End;
        return config;
    }

    public static JsonObject GenerationConfig(GgufFile file)
    {
        var tokens = GgufSpecialTokens.Of(file.Metadata);
        var ends = tokens.Ends;
        var config = new JsonObject();
        if (tokens.Begin is { } begin)
            config["bos_token_id"] = begin;
        if (ends.Count > 0)
            config["eos_token_id"] = ends is [var one] ? one : new JsonArray([.. ends.Select(id => (JsonNode)id)]);
        if (tokens.Padding is { } padding)
            config["pad_token_id"] = padding;
        return config;
    }
}
