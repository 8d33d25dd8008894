using System.Text.Json;
using LookaheadKV.Models.Families;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Writes what <see cref="HuggingFaceConfig"/> reads: the config.json of a shape, in the form that transformers 4 and 5 both take.</summary>
internal static class ConfigWriter
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

    /// <summary>The text of a config.json.</summary>
    /// <param name="config">The shape, without rotary scaling and sliding window.</param>
    /// <param name="dtype">The type of the weights beside it: float32 or bfloat16.</param>
    /// <exception cref="InputException">No family has this shape.</exception>
    public static string Json(DecoderConfig config, ScalarType dtype)
    {
        if (config.RopeScaling is not null || config.SlidingWindow is not null)
            throw new InputException("a shape with rotary scaling or a sliding window cannot be written; leave them out.");
        var family = Family(config);
        var name = dtype == ScalarType.BFloat16 ? "bfloat16" : "float32";
        var json = new Dictionary<string, object?>
        {
            ["architectures"] = new[] { family.Architecture },
            ["model_type"] = family.Type,
            ["vocab_size"] = config.VocabularySize,
            ["hidden_size"] = config.Width,
            ["intermediate_size"] = config.IntermediateSize,
            ["num_hidden_layers"] = config.Layers,
            ["num_attention_heads"] = config.QueryHeads,
            ["num_key_value_heads"] = config.KeyValueHeads,
            ["head_dim"] = config.HeadSize,
            ["hidden_act"] = "silu",
            ["max_position_embeddings"] = config.MaxPositions,
            ["rms_norm_eps"] = config.RmsNormEpsilon,
            ["tie_word_embeddings"] = config.TiedEmbeddings,
            ["rope_theta"] = config.RopeTheta,
            ["rope_parameters"] = new { rope_type = "default", rope_theta = config.RopeTheta },
            ["dtype"] = name,
            ["torch_dtype"] = name,
        };
        // Null says that there is none; without the key, the class's own would count.
        json["eos_token_id"] = config.EndTokens.Count > 0 ? config.EndTokens : null;
        return JsonSerializer.Serialize(json, Options) + "\n";
    }

    // A family whose config.json says all of it without keys of its own.
    private static ModelFamily Family(DecoderConfig config) =>
        ModelFamilies.All.FirstOrDefault(family =>
            (family.Norms, family.QueryKeyNorm, family.WeightNames) == (config.Norms, config.QueryKeyNorm, config.WeightNames)
            && family.Biases.Order().SequenceEqual(config.Biases.Order())
        )
        ?? throw new InputException(
            $"no family has biases on [{string.Join(", ", config.Biases)}], norms of blocks {config.Norms} and of queries and keys {config.QueryKeyNorm}; "
                + "choose another shape."
        );
}
