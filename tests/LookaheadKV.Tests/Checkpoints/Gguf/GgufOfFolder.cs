using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>Does what the usual converter does with a Hugging Face folder: names, keys, and in the llama family interleaved rotary pairs.</summary>
internal static class GgufOfFolder
{
    /// <summary>The folder's model in float32.</summary>
    public static GgufBuilder Convert(string folder)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        var shape = DecoderConfig.Load(folder);
        var builder = Metadata(config, shape);
        var tensors = SafetensorsFolder.Open(folder);
        using var scope = NewDisposeScope();
        var places = DecoderWeights.Shapes(shape).ToDictionary(weight => weight.Name, weight => empty(weight.Shape));
        tensors.ReadInto(places);
        foreach (var (name, place) in places)
        {
            var rows = FamilyOf(config) == "llama" ? Interleaved(name, place, shape) : place;
            builder.Tensor(Name(name), place.shape, rows.contiguous().data<float>().ToArray());
        }
        return builder;
    }

    public static GgufBuilder Metadata(JsonObject config, DecoderConfig shape)
    {
        var family = FamilyOf(config);
        var builder = new GgufBuilder()
            .Set("general.architecture", family)
            .Set($"{family}.block_count", (uint)shape.Layers)
            .Set($"{family}.context_length", config["max_position_embeddings"]!.GetValue<uint>())
            .Set($"{family}.embedding_length", (uint)shape.Width)
            .Set($"{family}.feed_forward_length", (uint)shape.IntermediateSize)
            .Set($"{family}.attention.head_count", (uint)shape.QueryHeads)
            .Set($"{family}.attention.head_count_kv", (uint)shape.KeyValueHeads)
            .Set($"{family}.attention.key_length", (uint)shape.HeadSize)
            .Set($"{family}.attention.value_length", (uint)shape.HeadSize)
            .Set($"{family}.rope.dimension_count", (uint)shape.HeadSize)
            .Set($"{family}.rope.freq_base", (float)shape.RopeTheta)
            .Set($"{family}.attention.layer_norm_rms_epsilon", (float)shape.RmsNormEpsilon);
        switch (shape.RopeScaling)
        {
            case RopeScaling.Linear(var factor):
                builder.Set($"{family}.rope.scaling.type", "linear").Set($"{family}.rope.scaling.factor", (float)factor);
                break;
            case RopeScaling.Yarn yarn:
                builder
                    .Set($"{family}.rope.scaling.type", "yarn")
                    .Set($"{family}.rope.scaling.factor", (float)yarn.Factor)
                    .Set($"{family}.rope.scaling.original_context_length", (uint)yarn.OriginalPositions)
                    .Set($"{family}.rope.scaling.yarn_attn_factor", yarn.AttentionFactor / (0.1 * Math.Log(yarn.Factor) + 1))
                    .Set($"{family}.rope.scaling.yarn_beta_fast", (float)yarn.FastTurns)
                    .Set($"{family}.rope.scaling.yarn_beta_slow", (float)yarn.SlowTurns);
                break;
            case RopeScaling.Llama3 llama:
                builder.Tensor("rope_freqs.weight", [shape.HeadSize / 2], Divisors(shape, llama));
                break;
        }
        return builder;
    }

    /// <summary>The factors by which the usual converter divides frequencies, with its branches and its float32.</summary>
    public static float[] Divisors(DecoderConfig shape, RopeScaling.Llama3 llama)
    {
        var (factor, low, high, original) = llama;
        return
        [
            .. Enumerable
                .Range(0, shape.HeadSize / 2)
                .Select(i =>
                {
                    var length = 2 * Math.PI / (1 / MathF.Pow((float)shape.RopeTheta, 2f * i / shape.HeadSize));
                    if (length < original / high)
                        return 1;
                    if (length > original / low)
                        return (float)factor;
                    var smooth = (original / length - low) / (high - low);
                    return (float)(1 / ((1 - smooth) / factor + smooth));
                }),
        ];
    }

    public static string Name(string huggingFace)
    {
        var parts = huggingFace.Split('.');
        return parts switch
        {
            ["model", "embed_tokens", var suffix] => $"token_embd.{suffix}",
            ["model", "norm", var suffix] => $"output_norm.{suffix}",
            ["lm_head", var suffix] => $"output.{suffix}",
            ["model", "layers", var layer, .. var rest] => $"blk.{layer}."
                + (
                    string.Join('.', rest[..^1]) switch
                    {
                        "input_layernorm" => "attn_norm",
                        "post_attention_layernorm" => "ffn_norm",
                        "self_attn.o_proj" => "attn_output",
                        "self_attn.q_norm" => "attn_q_norm",
                        "self_attn.k_norm" => "attn_k_norm",
                        var path when path.StartsWith("self_attn.", StringComparison.Ordinal) => $"attn_{path[10]}",
                        var path => $"ffn_{path.Split('.')[1].Split('_')[0]}",
                    }
                )
                + $".{rest[^1]}",
            _ => throw new ArgumentException(huggingFace),
        };
    }

    private static string FamilyOf(JsonObject config) =>
        config["model_type"]!.GetValue<string>() is var type && type == "mistral" ? "llama" : type;

    // [heads, 2, D/2, …] → [heads, D/2, 2, …]
    private static Tensor Interleaved(string name, Tensor weight, DecoderConfig shape) =>
        name.Contains("q_proj") ? Swap(weight, shape.QueryHeads)
        : name.Contains("k_proj") ? Swap(weight, shape.KeyValueHeads)
        : weight;

    private static Tensor Swap(Tensor weight, long heads) =>
        weight.unflatten(0, heads, 2, weight.shape[0] / heads / 2).transpose(1, 2).contiguous().view(weight.shape);
}
