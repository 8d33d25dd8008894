using LookaheadKV.Checkpoints;
using LookaheadKV.Runtime;
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

/// <summary>Weights of one layer; linear maps are [out, in], norms [E], norms of heads [D].</summary>
public sealed class LayerWeights
{
    private static readonly LinearName[][] JoinedMaps =
    [
        [LinearName.Query, LinearName.Key, LinearName.Value],
        [LinearName.Gate, LinearName.Up],
    ];

    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly List<Tensor> _joined = [];
    private readonly Tensor?[] _linears;
    private readonly Tensor?[] _biases;

    /// <summary>Allocates a layer, its values still undefined. Maps that read the same rows share one storage, q|k|v and gate|up, so that they can be one product.</summary>
    internal LayerWeights(DecoderConfig config, Device device, ScalarType dtype)
    {
        var shapes = Shapes(config).ToDictionary(weight => weight.Name, weight => weight.Shape);
        foreach (var maps in JoinedMaps)
        {
            Join(maps, ".weight", config.Width);
            Join(maps, ".bias");
        }
        foreach (var (name, shape) in shapes)
            if (!_tensors.ContainsKey(name))
                _tensors[name] = Empty(shape, dtype, device);
        (_linears, _biases) = (ByMap(".weight"), ByMap(".bias"));
        Packed = Pack();

        // A bias that only some of the maps have is zero for the others.
        void Join(LinearName[] maps, string suffix, params long[] columns)
        {
            if (!maps.Any(name => shapes.ContainsKey(name.Path() + suffix)))
                return;
            long[] rows = [.. maps.Select(name => shapes[name.Path() + ".weight"][0])];
            var joined = Empty([rows.Sum(), .. columns], dtype, device);
            if (suffix == ".bias")
                joined.zero_();
            _joined.Add(joined);
            var start = 0L;
            foreach (var (name, count) in maps.Zip(rows))
            {
                if (shapes.ContainsKey(name.Path() + suffix))
                    _tensors[name.Path() + suffix] = joined.narrow(0, start, count).DetachFromDisposeScope();
                start += count;
            }
        }
    }

    /// <summary>RMS-norm weight before attention, [E].</summary>
    public Tensor AttentionNorm => _tensors["input_layernorm.weight"];

    /// <summary>RMS-norm weight before the feed-forward block, [E].</summary>
    public Tensor FeedForwardNorm => _tensors["post_attention_layernorm.weight"];

    /// <summary>RMS-norm weight of each query head, [D]; null where the model has none.</summary>
    public Tensor? QueryNorm => _tensors.GetValueOrDefault("self_attn.q_norm.weight");

    /// <summary>RMS-norm weight of each key head, [D]; null where the model has none.</summary>
    public Tensor? KeyNorm => _tensors.GetValueOrDefault("self_attn.k_norm.weight");

    /// <summary>A linear map's weight, [out, in].</summary>
    public Tensor this[LinearName name] => _linears[(int)name]!;

    /// <summary>A linear map's bias, [out]; null where it has none.</summary>
    public Tensor? Bias(LinearName name) => _biases[(int)name];

    /// <summary>Its tensors by their names within a layer, as <see cref="Shapes"/> lists them.</summary>
    internal IReadOnlyDictionary<string, Tensor> Named => _tensors;

    /// <summary>The layer as <see cref="DecoderScript"/> lists it.</summary>
    internal Tensor[] Packed { get; }

    internal void Dispose()
    {
        foreach (var tensor in _tensors.Values.Concat(_joined))
            tensor.Dispose();
    }

    /// <summary>Names within a layer, and shapes, of what a model of this configuration has.</summary>
    internal static IEnumerable<(string Name, long[] Shape)> Shapes(DecoderConfig config)
    {
        yield return ("input_layernorm.weight", [config.Width]);
        yield return ("post_attention_layernorm.weight", [config.Width]);
        foreach (var name in LinearNames.All)
        {
            var (rows, columns) = name.Shape(config);
            yield return (name.Path() + ".weight", [rows, columns]);
            if (config.Biases.Contains(name))
                yield return (name.Path() + ".bias", [rows]);
        }
        if (config.QueryKeyNorm)
        {
            yield return ("self_attn.q_norm.weight", [config.HeadSize]);
            yield return ("self_attn.k_norm.weight", [config.HeadSize]);
        }
    }

    /// <summary>Memory that stays until it is disposed.</summary>
    internal static Tensor Empty(long[] shape, ScalarType dtype, Device device) => empty(shape, dtype, device).DetachFromDisposeScope();

    private Tensor?[] ByMap(string suffix) => [.. LinearNames.All.Select(name => _tensors.GetValueOrDefault(name.Path() + suffix))];

    private Tensor[] Pack()
    {
        var joined = _joined.GetEnumerator();
        return
        [
            AttentionNorm,
            Take(),
            (Bias(LinearName.Query) ?? Bias(LinearName.Key) ?? Bias(LinearName.Value)) is not null ? Take() : DecoderScript.None,
            QueryNorm ?? DecoderScript.None,
            KeyNorm ?? DecoderScript.None,
            this[LinearName.Output],
            Bias(LinearName.Output) ?? DecoderScript.None,
            FeedForwardNorm,
            Take(),
            (Bias(LinearName.Gate) ?? Bias(LinearName.Up)) is not null ? Take() : DecoderScript.None,
            this[LinearName.Down],
            Bias(LinearName.Down) ?? DecoderScript.None,
        ];

        Tensor Take() => joined.MoveNext() ? joined.Current : throw new InvalidOperationException("a joined map is missing");
    }
}

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
            foreach (var (name, shape) in LayerWeights.Shapes(config))
                yield return (LayerPrefix(layer) + name, shape);
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
        foreach (var tensor in All)
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
