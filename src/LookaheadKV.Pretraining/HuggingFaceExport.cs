using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// Writes a trained decoder as a Hugging Face Llama folder: config.json, generation_config.json, model.safetensors. The fused matrices
/// are cut into the weights that Llama names; the rotary convention is the same, so nothing is permuted.
/// </summary>
public static class HuggingFaceExport
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Writes the folder; each file is complete or absent.</summary>
    /// <param name="folder">Where, created if need be.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="weights">Flat weights in the order of <see cref="ParameterLayout"/>.</param>
    /// <param name="dtype">Float32 or bfloat16 on disk.</param>
    /// <param name="endToken">Id of the token that ends an answer.</param>
    /// <exception cref="InputException">The id or the dtype is out of range.</exception>
    public static void Write(string folder, TrainableDecoderConfig config, Tensor weights, ScalarType dtype, int endToken)
    {
        if (endToken < 0 || endToken >= config.VocabularySize)
            throw new InputException($"the end token is {endToken}: it must be within 0..{config.VocabularySize - 1}");
        var name = dtype switch
        {
            ScalarType.BFloat16 => "bfloat16",
            ScalarType.Float32 => "float32",
            _ => throw new InputException($"a model cannot be exported in {dtype}: choose float32 or bfloat16"),
        };
        Directory.CreateDirectory(folder);
        using var scope = NewDisposeScope();
        Safetensors.Write(
            Path.Combine(folder, "model.safetensors"),
            Weights(config, weights).Select(weight => (weight.Name, weight.Tensor.detach().cpu().to(dtype).contiguous())),
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        WriteJson(Path.Combine(folder, "generation_config.json"), new { eos_token_id = endToken, do_sample = false });
        // The config comes last: a folder with one is whole. It speaks to transformers 4 (rope_theta, torch_dtype) and 5.
        WriteJson(
            Path.Combine(folder, "config.json"),
            new
            {
                architectures = new[] { "LlamaForCausalLM" },
                model_type = "llama",
                vocab_size = config.VocabularySize,
                hidden_size = config.Width,
                intermediate_size = config.IntermediateSize,
                num_hidden_layers = config.Layers,
                num_attention_heads = config.QueryHeads,
                num_key_value_heads = config.KeyValueHeads,
                head_dim = config.HeadSize,
                hidden_act = "silu",
                max_position_embeddings = config.MaxPositions,
                rms_norm_eps = config.RmsNormEpsilon,
                initializer_range = 0.02,
                attention_bias = false,
                attention_dropout = 0.0,
                mlp_bias = false,
                tie_word_embeddings = true,
                use_cache = true,
                eos_token_id = endToken,
                rope_theta = config.RopeTheta,
                rope_parameters = new { rope_type = "default", rope_theta = config.RopeTheta },
                dtype = name,
                torch_dtype = name,
            }
        );
    }

    /// <summary>The weights under their Hugging Face names, as views of the flat vector.</summary>
    public static IEnumerable<(string Name, Tensor Tensor)> Weights(TrainableDecoderConfig config, Tensor weights)
    {
        var pieces = ParameterLayout.Pieces(config);
        var parts = weights.split([.. pieces.Select(piece => piece.Size)]);
        var tensors = pieces.Zip(parts).ToDictionary(pair => pair.First.Name, pair => pair.Second.view(pair.First.Shape));
        long query = config.QueryHeads * config.HeadSize,
            shared = config.KeyValueHeads * config.HeadSize;
        yield return ("model.embed_tokens.weight", tensors["embedding"]);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var (from, to) = ($"layers.{layer}", $"model.layers.{layer}");
            var qkv = tensors[$"{from}.qkv"].split([query, shared, shared]);
            var gateUp = tensors[$"{from}.gate_up"].chunk(2);
            yield return ($"{to}.input_layernorm.weight", tensors[$"{from}.attention_norm"]);
            yield return ($"{to}.self_attn.q_proj.weight", qkv[0]);
            yield return ($"{to}.self_attn.k_proj.weight", qkv[1]);
            yield return ($"{to}.self_attn.v_proj.weight", qkv[2]);
            yield return ($"{to}.self_attn.o_proj.weight", tensors[$"{from}.output"]);
            yield return ($"{to}.post_attention_layernorm.weight", tensors[$"{from}.feed_forward_norm"]);
            yield return ($"{to}.mlp.gate_proj.weight", gateUp[0]);
            yield return ($"{to}.mlp.up_proj.weight", gateUp[1]);
            yield return ($"{to}.mlp.down_proj.weight", tensors[$"{from}.down"]);
        }
        yield return ("model.norm.weight", tensors["final_norm"]);
    }

    /// <summary>Reads the weights of a folder that <see cref="Write"/> wrote, as one flat float32 vector on the CPU.</summary>
    /// <exception cref="InputException">The folder's weights are missing, damaged or of another shape.</exception>
    public static Tensor ReadWeights(string folder, TrainableDecoderConfig config)
    {
        var path = Path.Combine(folder, "model.safetensors");
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        var flat = zeros(ParameterLayout.Count(config));
        foreach (var (name, view) in Weights(config, flat))
        {
            if (!file.Names.Contains(name) || !file.Info(name).Shape.SequenceEqual(view.shape))
                throw new InputException(
                    $"{path}: {name} is missing or has another shape than the plan's model; start from another folder."
                );
            view.copy_(file.Read(name, dtype: ScalarType.Float32));
        }
        return flat.MoveToOuterDisposeScope();
    }

    private static void WriteJson(string path, object value) => AtomicFile.WriteText(path, JsonSerializer.Serialize(value, Json) + "\n");
}
