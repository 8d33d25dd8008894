using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// A small Llama-style decoder for training: one flat parameter vector, and a compiled forward pass with loss over it. The decoder that is
/// used for everything else reads what <see cref="HuggingFaceExport"/> writes.
/// </summary>
public sealed class TrainableDecoder : IDisposable
{
    private readonly DecoderProgram program;
    private readonly RotationTables rotation;

    /// <summary>Creates a decoder over given weights.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="weights">Flat weights in the order of <see cref="ParameterLayout"/>, copied.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="dtype">What it computes in: bfloat16 on a GPU, float32 on a CPU.</param>
    /// <param name="attention">How attention runs.</param>
    /// <param name="fuse">Whether TorchScript's profiling executor may rewrite and fuse the forward pass.</param>
    /// <exception cref="InputException">The configuration or the number of weights is wrong.</exception>
    public TrainableDecoder(
        TrainableDecoderConfig config,
        Tensor weights,
        Device device,
        ScalarType dtype,
        AttentionKernel attention = AttentionKernel.Grouped,
        bool fuse = false
    )
    {
        Config = config.Checked();
        var count = ParameterLayout.Count(config);
        if (weights.numel() != count)
            throw new InputException($"{weights.numel()} weights were given for a model of {count}: they belong to another configuration");
        program = new DecoderProgram(config, dtype, attention, fuse);
        rotation = new RotationTables(config, device, dtype);
        using var scope = NewDisposeScope();
        Parameters = weights.detach().to(dtype).to(device).clone().requires_grad_().DetachFromDisposeScope();
    }

    /// <summary>The decoder's shape.</summary>
    public TrainableDecoderConfig Config { get; }

    /// <summary>All weights as one leaf vector that requires a gradient.</summary>
    public Tensor Parameters { get; }

    /// <summary>Initial weights: normal with deviation 0.02, smaller where a block adds to the residual stream, norms 1.</summary>
    /// <returns>Flat float32 vector on the CPU, the same for the same seed.</returns>
    public static Tensor InitialWeights(TrainableDecoderConfig config, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed);
        var pieces = ParameterLayout
            .Pieces(config.Checked())
            .Select(piece => piece.Deviation > 0 ? randn([piece.Size], generator: generator) * piece.Deviation : ones([piece.Size]))
            .ToArray();
        return cat(pieces).MoveToOuterDisposeScope();
    }

    /// <summary>Logits of every position.</summary>
    /// <param name="ids">Token ids [B,T], int64, T ≤ MaxPositions.</param>
    /// <returns>[B,T,V] in the decoder's dtype.</returns>
    public Tensor Logits(Tensor ids) => program.Logits(Parameters, ids, rotation);

    /// <summary>Mean cross-entropy (nats) over a packed batch's answer tokens, a scalar with gradient.</summary>
    internal Tensor Loss(Tensor packed, BatchShape shape) => program.Loss(Parameters, packed, shape, rotation);

    /// <summary>Whether the most likely token is the target, bool [slots].</summary>
    internal Tensor Correct(Tensor packed, BatchShape shape)
    {
        using var quiet = no_grad();
        return program.Correct(Parameters, packed, shape, rotation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        program.Dispose();
        rotation.Dispose();
        Parameters.Dispose();
    }
}
