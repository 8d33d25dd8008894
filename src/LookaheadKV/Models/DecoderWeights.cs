using LookaheadKV.Checkpoints;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>The seven linear maps of a decoder layer, with the names Hugging Face and PEFT give them.</summary>
public enum LinearName
{
    /// <summary><c>self_attn.q_proj</c>, [H·D, E].</summary>
    Query,

    /// <summary><c>self_attn.k_proj</c>, [G·D, E].</summary>
    Key,

    /// <summary><c>self_attn.v_proj</c>, [G·D, E].</summary>
    Value,

    /// <summary><c>self_attn.o_proj</c>, [E, H·D].</summary>
    Output,

    /// <summary><c>mlp.gate_proj</c>, [F, E].</summary>
    Gate,

    /// <summary><c>mlp.up_proj</c>, [F, E].</summary>
    Up,

    /// <summary><c>mlp.down_proj</c>, [E, F].</summary>
    Down,
}

/// <summary>Names and shapes of the linear maps.</summary>
public static class LinearNames
{
    /// <summary>All seven, in file order.</summary>
    public static IReadOnlyList<LinearName> All { get; } = Enum.GetValues<LinearName>();

    /// <summary>The module path inside a layer, such as <c>self_attn.q_proj</c>.</summary>
    public static string Path(this LinearName name) =>
        name switch
        {
            LinearName.Query => "self_attn.q_proj",
            LinearName.Key => "self_attn.k_proj",
            LinearName.Value => "self_attn.v_proj",
            LinearName.Output => "self_attn.o_proj",
            LinearName.Gate => "mlp.gate_proj",
            LinearName.Up => "mlp.up_proj",
            LinearName.Down => "mlp.down_proj",
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

    /// <summary>(outputs, inputs) of a linear map in a model of this shape.</summary>
    public static (int Out, int In) Shape(this LinearName name, DecoderConfig c) =>
        name switch
        {
            LinearName.Query => (c.QueryHeads * c.HeadSize, c.Width),
            LinearName.Key or LinearName.Value => (c.KeyValueHeads * c.HeadSize, c.Width),
            LinearName.Output => (c.Width, c.QueryHeads * c.HeadSize),
            LinearName.Gate or LinearName.Up => (c.IntermediateSize, c.Width),
            LinearName.Down => (c.Width, c.IntermediateSize),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}

/// <summary>Weights of one layer; linear maps are [out, in], norms [E].</summary>
public sealed class LayerWeights(Tensor attentionNorm, Tensor feedForwardNorm, IReadOnlyList<Tensor> linears)
{
    /// <summary>RMS-norm weight before attention, [E].</summary>
    public Tensor AttentionNorm => attentionNorm;

    /// <summary>RMS-norm weight before the feed-forward block, [E].</summary>
    public Tensor FeedForwardNorm => feedForwardNorm;

    /// <summary>A linear map's weight, [out, in].</summary>
    public Tensor this[LinearName name] => linears[(int)name];

    internal IEnumerable<Tensor> All => [attentionNorm, feedForwardNorm, .. linears];
}

/// <summary>All weights of a decoder, on one device in one dtype.</summary>
public sealed class DecoderWeights : IDisposable
{
    private DecoderWeights(Tensor embedding, Tensor finalNorm, Tensor head, IReadOnlyList<LayerWeights> layers)
    {
        Embedding = embedding;
        FinalNorm = finalNorm;
        Head = head;
        Layers = layers;
    }

    /// <summary>Token embeddings [vocabulary, E].</summary>
    public Tensor Embedding { get; }

    /// <summary>RMS-norm weight before the output head, [E].</summary>
    public Tensor FinalNorm { get; }

    /// <summary>Output head [vocabulary, E]; the embedding itself where tied.</summary>
    public Tensor Head { get; }

    /// <summary>The layers, first to last.</summary>
    public IReadOnlyList<LayerWeights> Layers { get; }

    /// <summary>Every tensor once; the embedding alone where the head is tied to it.</summary>
    public IEnumerable<Tensor> All =>
        Layers.SelectMany(l => l.All).Concat(ReferenceEquals(Head, Embedding) ? [Embedding, FinalNorm] : [Embedding, FinalNorm, Head]);

    /// <summary>
    /// Collects the weights of a Llama-layout model under their Hugging Face names; every tensor must be there, have its shape and be finite.
    /// </summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="read">Gives a tensor by name (on the target device and dtype), or throws.</param>
    /// <exception cref="InputException">A tensor is missing, misshapen, or holds NaN or infinity.</exception>
    public static DecoderWeights Collect(DecoderConfig config, Func<string, Tensor> read)
    {
        var (e, v) = (config.Width, config.VocabularySize);
        var embedding = Get("model.embed_tokens.weight", v, e);
        var norm = Get("model.norm.weight", e);
        var head = config.TiedEmbeddings ? embedding : Get("lm_head.weight", v, e);
        return new DecoderWeights(embedding, norm, head, [.. Enumerable.Range(0, config.Layers).Select(Layer)]);

        LayerWeights Layer(int l)
        {
            var prefix = $"model.layers.{l}.";
            return new LayerWeights(
                Get(prefix + "input_layernorm.weight", e),
                Get(prefix + "post_attention_layernorm.weight", e),
                [.. LinearNames.All.Select(name => Linear(prefix, name))]
            );
        }

        Tensor Linear(string prefix, LinearName name)
        {
            var (rows, columns) = name.Shape(config);
            return Get($"{prefix}{name.Path()}.weight", rows, columns);
        }

        Tensor Get(string name, params long[] shape)
        {
            var tensor = read(name);
            if (!tensor.shape.SequenceEqual(shape))
                throw new InputException(
                    $"weight {name} has shape [{string.Join(", ", tensor.shape)}], config.json asks for [{string.Join(", ", shape)}]."
                );
            using var finite = tensor.isfinite().all();
            if (!finite.item<bool>())
                throw new InputException($"weight {name} holds NaN or infinity; the file is damaged or its training diverged.");
            return tensor.DetachFromDisposeScope();
        }
    }

    /// <summary>Reads the weights of a Hugging Face folder: <c>model.safetensors</c>.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or does not hold the weights that <paramref name="config"/> asks for.</exception>
    public static DecoderWeights Load(string folder, DecoderConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        return Collect(config, name => file.Read(name, device, dtype));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in All)
            tensor.Dispose();
    }
}
