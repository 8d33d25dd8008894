using LookaheadKV.Models;
using LookaheadKV.Passes;
using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>Shape and initialisation of a lookahead module; the defaults are the paper's.</summary>
public sealed record LookaheadSettings
{
    /// <summary>Most lookahead tokens.</summary>
    public const int MostTokens = 512;

    /// <summary>Highest rank.</summary>
    public const int MostRank = 1024;

    /// <summary>n, how many lookahead tokens.</summary>
    public int Tokens
    {
        get;
        init => field = value.Within(1, MostTokens, "lookahead tokens:", "the paper uses 32");
    } = 32;

    /// <summary>r, the rank of the LoRA pairs; 0 trains the tokens alone.</summary>
    public int Rank
    {
        get;
        init => field = value.Within(0, MostRank, "LoRA rank", "the paper uses 8, 0 trains the tokens alone");
    } = 8;

    /// <summary>LoRA alpha; deltas are scaled by alpha / r.</summary>
    public double Alpha
    {
        get;
        init => field = value.AboveZero("LoRA alpha", "the paper uses 32");
    } = 32;

    /// <summary>Which linear maps get a pair; default all seven. In the last layer only query and key can touch a score.</summary>
    public IReadOnlyList<LinearName> Targets { get; init; } = LinearNames.All;

    /// <summary>Standard deviation of the token embeddings' random start; the paper does not state it.</summary>
    public double EmbeddingStd
    {
        get;
        init => field = value.AtLeast(0, "standard deviation of the embeddings", "0.02 is the default");
    } = 0.02;

    /// <summary>How the attention of the tokens' rows becomes one score; default the paper's mean.</summary>
    public RowReduction Rows { get; init; } = RowReduction.Mean;

    /// <summary>The standard deviation of a model's embedding table: tokens that start as far from 0 as the model's own.</summary>
    public static double SpreadOf(Decoder decoder)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return decoder.Weights.Embedding.to(ScalarType.Float32).std().cpu().item<float>();
    }

    /// <summary>The linear maps that get a pair in a layer: the targets, and of the last layer's only those that reach a score.</summary>
    public IEnumerable<LinearName> TargetsOf(int layer, DecoderConfig config) =>
        Rank == 0 ? []
        : layer == config.Layers - 1 ? Targets.Where(t => t is LinearName.Query or LinearName.Key)
        : Targets;

    /// <summary>Trainable parameters that a module of these settings has for a model of this shape.</summary>
    public long ParameterCount(DecoderConfig config) =>
        (long)Tokens * config.Width
        + Enumerable
            .Range(0, config.Layers)
            .SelectMany(layer => TargetsOf(layer, config))
            .Sum(name => (long)Rank * (name.Shape(config).In + name.Shape(config).Out));
}

/// <summary>
/// The trained part of LookaheadKV: n token embeddings shared by all layers, and LoRA pairs that are active on those n rows alone.
/// All parameters are float32 whatever the model's dtype. The base model is never changed.
/// </summary>
public sealed class LookaheadModule : IObserver, IDisposable
{
    private readonly LayerLora[] _layers;

    internal LookaheadModule(LookaheadSettings settings, Tensor embeddings, LayerLora[] layers)
    {
        (Settings, Embeddings, _layers) = (settings, embeddings, layers);
    }

    /// <summary>Shape and scale.</summary>
    public LookaheadSettings Settings { get; }

    /// <summary>Lookahead token embeddings [n, E] (float32).</summary>
    public Tensor Embeddings { get; }

    /// <summary>All trainable tensors, in file order.</summary>
    public IReadOnlyList<Tensor> Parameters => [Embeddings, .. _layers.SelectMany(l => l.Pairs.Values).SelectMany(p => new[] { p.A, p.B })];

    /// <summary>The pairs of each layer.</summary>
    public IReadOnlyList<LayerLora> Layers => _layers;

    /// <summary>A new module: normal embeddings, A Kaiming-uniform, B zero, so that it starts as the base model's own rows.</summary>
    /// <param name="config">The model it is for.</param>
    /// <param name="settings">Shape; default the paper's.</param>
    /// <param name="seed">Seed of the random start; the same on every device.</param>
    /// <param name="device">Where the parameters live; default the CPU.</param>
    public static LookaheadModule Create(DecoderConfig config, LookaheadSettings? settings = null, long seed = 0, Device? device = null)
    {
        settings ??= new LookaheadSettings();
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        var embeddings = Place(randn([settings.Tokens, config.Width], generator: generator).mul(settings.EmbeddingStd));
        var layers = Enumerable.Range(0, config.Layers).Select(Layer).ToArray();
        return new LookaheadModule(settings, embeddings, layers);

        LayerLora Layer(int layer) => new(settings.TargetsOf(layer, config).ToDictionary(name => name, Pair));

        LoraPair Pair(LinearName name)
        {
            var (rows, columns) = name.Shape(config);
            var bound = 1 / Math.Sqrt(columns);
            var a = rand([settings.Rank, columns], generator: generator).mul(2 * bound).sub(bound);
            return new LoraPair(Place(a), Place(zeros(rows, settings.Rank)), settings.Alpha / settings.Rank);
        }

        Tensor Place(Tensor tensor) => tensor.to(device ?? CPU).DetachFromDisposeScope();
    }

    /// <summary>A module with parameters of its own, equal to these as they are now: what training looked like on the way.</summary>
    public LookaheadModule Copy()
    {
        using var scope = NewDisposeScope();
        return new LookaheadModule(Settings, Own(Embeddings), [.. _layers.Select(layer => new LayerLora(Pairs(layer)))]);

        Dictionary<LinearName, LoraPair> Pairs(LayerLora layer) =>
            layer.Pairs.ToDictionary(pair => pair.Key, pair => pair.Value with { A = Own(pair.Value.A), B = Own(pair.Value.B) });

        Tensor Own(Tensor parameter) => parameter.detach().clone().DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Embed(Decoder decoder, long batch)
    {
        using var scope = NewDisposeScope();
        return Embeddings.to(decoder.DType).unsqueeze(0).expand(batch, -1, -1).MoveToOuterDisposeScope(); // [n,E] → [B,n,E]
    }

    /// <inheritdoc/>
    public LayerLora? Lora(int layer) => Settings.Rank == 0 ? null : _layers[layer];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
        foreach (var parameter in Parameters)
            parameter.Dispose();
    }
}
