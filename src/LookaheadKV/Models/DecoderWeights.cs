using LookaheadKV.Checkpoints;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>All weights of a decoder, on one device in one dtype.</summary>
public sealed class DecoderWeights : IDisposable
{
    private const string EmbeddingName = "model.embed_tokens.weight";
    private const string NormName = "model.norm.weight";
    private static readonly string[] Buffers =
    [
        "rotary_emb.inv_freq",
        "rotary_emb.original_inv_freq",
        "rotary_emb.cos_cached",
        "rotary_emb.sin_cached",
        ".attn.bias",
        ".self_attn.bias",
        ".attention.bias",
        ".masked_bias",
    ];

    private const string HeadName = "lm_head.weight";

    private DecoderWeights(DecoderConfig config, Device device, ScalarType dtype)
    {
        Embedding = LayerWeights.Empty([config.VocabularySize, config.Width], dtype, device);
        Layers = [.. Enumerable.Range(0, config.Layers).Select(_ => new LayerWeights(config, device, dtype))];
        FinalNorm = LayerWeights.Empty([config.Width], dtype, device);
        Head = config.TiedEmbeddings ? Embedding : LayerWeights.Empty([config.VocabularySize, config.Width], dtype, device);
    }

    /// <summary>Token embeddings [vocabulary, E].</summary>
    public Tensor Embedding { get; }

    /// <summary>RMS-norm weight before the output head, [E].</summary>
    public Tensor FinalNorm { get; }

    /// <summary>Output head [vocabulary, E]; the embedding itself where tied.</summary>
    public Tensor Head { get; }

    /// <summary>The layers, first to last.</summary>
    public IReadOnlyList<LayerWeights> Layers { get; }

    /// <summary><see cref="LayerWeights.Joined"/> of all layers, one behind the other.</summary>
    internal Tensor[] Joined => field ??= [.. Layers.SelectMany(layer => layer.Joined)];

    /// <summary>Every tensor once, by its Hugging Face name; the embedding alone where the head is tied to it.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Named =>
        [
            new(EmbeddingName, Embedding),
            .. Layers.SelectMany(
                (layer, l) => layer.Named.Select(weight => KeyValuePair.Create(LayerPrefix(l) + weight.Key, weight.Value))
            ),
            new(NormName, FinalNorm),
            .. ReferenceEquals(Head, Embedding) ? (KeyValuePair<string, Tensor>[])[] : [new(HeadName, Head)],
        ];

    /// <summary>Every tensor once.</summary>
    public IEnumerable<Tensor> All => Named.Select(weight => weight.Value);

    /// <summary>Hugging Face names and shapes of all weights of a model of this configuration.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Shapes(DecoderConfig config)
    {
        yield return (EmbeddingName, [config.VocabularySize, config.Width]);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            foreach (var weight in config.WeightNames.Weights(config))
                yield return (LayerPrefix(layer) + weight.Name, weight.Shape);
        }
        yield return (NormName, [config.Width]);
        if (!config.TiedEmbeddings)
            yield return (HeadName, [config.VocabularySize, config.Width]);
    }

    /// <summary>Copies the weights of a model from under their Hugging Face names; every tensor must be there, have its shape and be finite.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="read">Gives a tensor by name (the first on the target device and dtype), or throws; it is disposed when it has been copied.</param>
    /// <exception cref="InputException">A tensor is missing, misshapen, or holds NaN or infinity.</exception>
    public static DecoderWeights Collect(DecoderConfig config, Func<string, Tensor> read)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var first = read(EmbeddingName);
        return Filled(
            new DecoderWeights(config, first.device, first.dtype),
            weights =>
            {
                var places = weights.Named.ToDictionary();
                foreach (var (name, shape) in Shapes(config))
                {
                    using var tensor = name == EmbeddingName ? first : read(name);
                    if (!tensor.shape.SequenceEqual(shape))
                        throw new InputException(
                            $"weight {name} has shape [{string.Join(", ", tensor.shape)}], config.json asks for [{string.Join(", ", shape)}]."
                        );
                    places[name].copy_(tensor);
                }
            }
        );
    }

    /// <summary>Weights that a function writes in place, one after the other in the order of <see cref="Shapes"/>.</summary>
    internal static DecoderWeights Fill(DecoderConfig config, Device device, ScalarType dtype, Action<string, Tensor> write) =>
        Filled(
            new DecoderWeights(config, device, dtype),
            weights =>
            {
                var places = weights.Named.ToDictionary();
                foreach (var (name, _) in Shapes(config))
                    write(name, places[name]);
            }
        );

    /// <summary>
    /// Reads the weights of a model straight to their device and dtype. All
    /// headers are checked against the configuration before the first weight is read. Each weight goes where it stays: nothing is held twice.
    /// </summary>
    /// <param name="files">The model's files.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="device">Where the weights shall live.</param>
    /// <param name="dtype">The type they shall have.</param>
    /// <param name="progress">Receives every weight that was read.</param>
    /// <param name="cancellation">Looked at before every weight.</param>
    /// <exception cref="InputException">Files are missing or damaged, or do not hold exactly the weights that <paramref name="config"/> asks for.</exception>
    public static DecoderWeights Load(
        ModelFiles files,
        DecoderConfig config,
        Device device,
        ScalarType dtype,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        using var scope = NewDisposeScope();
        var checkpoint = files.Tensors();
        checkpoint.Require([.. Shapes(config)], name => IsKnownSurplus(name, config));
        return Filled(
            new DecoderWeights(config, device, dtype),
            weights => checkpoint.ReadInto(weights.Named.ToDictionary(), progress, cancellation)
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in Layers)
            layer.Dispose();
        foreach (var tensor in (Tensor[])[Embedding, FinalNorm, Head])
            tensor.Dispose();
    }

    private static string LayerPrefix(int layer) => $"model.layers.{layer}.";

    // What older exports store and follows from the configuration: rotary frequencies, causal masks, the head of tied models.
    private static bool IsKnownSurplus(string name, DecoderConfig config) =>
        Buffers.Any(buffer => name.EndsWith(buffer, StringComparison.Ordinal)) || (config.TiedEmbeddings && name == HeadName);

    // Fills weights, looks at every number, and gives the memory back where that fails.
    private static DecoderWeights Filled(DecoderWeights weights, Action<DecoderWeights> fill)
    {
        try
        {
            fill(weights);
            foreach (var (name, tensor) in weights.Named)
                if (!IsFinite(tensor))
                    throw new InputException($"weight {name} holds NaN or infinity; the file is damaged or its training diverged.");
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    // A sum in the tensor's own type is one pass without temporaries (in another it would be a copy first) and is finite only if every weight is;
    // weights of ~1e30, whose sum may overflow, are looked at singly.
    private static bool IsFinite(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.sum().isfinite().item<bool>() || tensor.isfinite().all().item<bool>();
    }
}
