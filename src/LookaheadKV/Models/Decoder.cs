using LookaheadKV.Checkpoints;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Post-RoPE queries [B,H,T,D] and keys, values [B,G,T,D] of some rows in one layer.</summary>
public readonly record struct LayerRows(Tensor Queries, Tensor Keys, Tensor Values)
{
    /// <summary>
    /// Logical positions of the keys and values (int64), broadcastable to [B,G,T] and increasing along T; null of a whole prompt, which stands at 0..T-1.
    /// Where there are fewer queries than keys, they are those of the last ones.
    /// </summary>
    public Tensor? Positions { get; init; }

    /// <summary>The positions [1 or B, 1 or G, T], those of a whole prompt too.</summary>
    public Tensor KeyPositions() => Positions ?? Following(0, Keys.size(2), Keys.device);

    /// <summary>Positions [1,1,T] (int64) of rows that follow each other.</summary>
    public static Tensor Following(long first, long count, Device device) => arange(first, first + count, device: device).view(1, 1, -1);

    /// <summary>Of rows that went through the model in one pass with the prompt before them: the keys of both, [B,G,N+T,D]; null otherwise.</summary>
    public Tensor? JoinedKeys { get; init; }

    /// <summary>The prompt's keys, then those of these rows, [B,G,N+T,D]; no copy where the pass has them as one.</summary>
    public Tensor KeysBehind(Tensor promptKeys) => JoinedKeys ?? cat([promptKeys, Keys], 2);

    /// <summary>The same rows, no longer disposed with a scope: whoever takes them disposes them.</summary>
    public LayerRows Detach() =>
        new(Queries.DetachFromDisposeScope(), Keys.DetachFromDisposeScope(), Values.DetachFromDisposeScope())
        {
            Positions = Positions?.clone().DetachFromDisposeScope(), // other layers' rows have the same
        };

    /// <summary>Frees rows that were detached; within a scope the scope does.</summary>
    public void Dispose()
    {
        Queries.Dispose();
        Keys.Dispose();
        Values.Dispose();
        Positions?.Dispose();
    }
}

/// <summary>
/// A decoder-only transformer of the Llama layout (Touvron et al., arXiv 2302.13971): RMSNorm, rotary positions, grouped-query attention, SwiGLU.
/// Families differ in what <see cref="DecoderConfig"/> says: where norms stand, biases, rotary scaling, a sliding window; <see cref="DecoderLayer"/> is the layer of all.
/// It offers the pieces of a layer, <see cref="Project"/> and <see cref="Finish"/>; what the rows in between attend to is the caller's:
/// a prompt attends causally to itself, an answer to a cache, lookahead rows to the prompt and to each other.
/// </summary>
public sealed class Decoder : IDisposable
{
    private readonly RotaryEmbedding _rotary;

    /// <summary>Puts weights and rotary tables together; the decoder owns both from here on.</summary>
    public Decoder(DecoderConfig config, DecoderWeights weights)
    {
        (Config, Weights) = (config, weights);
        (Device, DType) = (weights.Embedding.device, weights.Embedding.dtype);
        _rotary = new RotaryEmbedding(config, Device, DType);
    }

    /// <summary>The model's shape.</summary>
    public DecoderConfig Config { get; }

    /// <summary>The weights; frozen.</summary>
    public DecoderWeights Weights { get; }

    /// <summary>Where weights and activations are.</summary>
    public Device Device { get; }

    /// <summary>Dtype of weights, activations and cache.</summary>
    public ScalarType DType { get; }

    /// <summary>Loads a model: of a Hugging Face folder <c>config.json</c>, and <c>model.safetensors</c> or shards with their index.</summary>
    /// <param name="model">Where it is: what <see cref="ModelFiles.Open"/> takes.</param>
    /// <param name="device">Target device; default the CPU.</param>
    /// <param name="dtype">float32 or bfloat16; weights are converted while they are read.</param>
    /// <param name="progress">Receives every weight that was read.</param>
    /// <param name="cancellation">Looked at before every weight.</param>
    /// <exception cref="InputException">Something of the model is missing, damaged or not implemented.</exception>
    public static Decoder Load(
        string model,
        Device? device = null,
        ScalarType dtype = ScalarType.Float32,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var files = ModelFiles.Open(model);
        if (dtype is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float64))
            throw new InputException($"dtype {dtype} is not supported; use float32 or bfloat16.");
        var config = DecoderConfig.Load(files) with { EndTokens = EndTokens.Of(files) };
        return new Decoder(config, DecoderWeights.Load(files, config, device ?? CPU, dtype, progress, cancellation));
    }

    /// <summary>Ids as a tensor [1, N] (int64) on the model's device.</summary>
    /// <exception cref="InputException">No ids, an id outside the vocabulary, or more ids than the model's context.</exception>
    public Tensor Ids(IReadOnlyList<int> ids)
    {
        if (ids.Count == 0)
            throw new InputException("the prompt is empty; give at least one token.");
        if (ids.Count > Config.MaxPositions)
            throw new InputException(
                $"the prompt has {ids.Count} tokens, the model's context is {Config.MaxPositions}; shorten the prompt."
            );
        var checkedIds = new long[ids.Count];
        for (var i = 0; i < checkedIds.Length; i++)
            checkedIds[i] =
                ids[i] >= 0 && ids[i] < Config.VocabularySize
                    ? ids[i]
                    : throw new InputException(
                        $"token id {ids[i]} is outside the vocabulary 0..{Config.VocabularySize - 1}; were the ids made by another tokenizer?"
                    );
        return tensor(checkedIds, device: Device).unsqueeze(0);
    }

    /// <summary>Embeds ids [B, T] to hidden rows [B, T, E].</summary>
    public Tensor Embed(Tensor ids) => Operators.Embedding(Weights.Embedding, ids);

    /// <summary>Rotary angles of <paramref name="count"/> successive rows from position <paramref name="first"/>; rows may pass the context.</summary>
    public RotaryAngles Angles(long first, long count) => _rotary.Rows(first, count);

    /// <summary>Rotary angles at given positions [B, T] (int64).</summary>
    public RotaryAngles AnglesAt(Tensor positions) => _rotary.At(positions);

    /// <summary>First half of a layer: norm, q/k/v maps, norms of heads where the model has them, rotary positions.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="hidden">Rows [B, T, E].</param>
    /// <param name="angles">Their positions.</param>
    /// <param name="lora">Low-rank deltas for these rows; null for the base model.</param>
    public LayerRows Project(int layer, Tensor hidden, RotaryAngles angles, LayerLora? lora = null)
    {
        var rows = EagerLayer.Project(Call(angles), hidden, Weights.Layers[layer].Apart, lora?.Apart);
        return new LayerRows(rows[0], rows[1], rows[2]);
    }

    /// <summary>Second half of a layer: output map, residual, norm, gated feed-forward block, residual.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="hidden">The rows that entered the layer, [B, T, E].</param>
    /// <param name="attended">What attention gave them, [B, H, T, D].</param>
    /// <param name="lora">Low-rank deltas for these rows; null for the base model.</param>
    /// <returns>The rows that leave the layer, [B, T, E].</returns>
    public Tensor Finish(int layer, Tensor hidden, Tensor attended, LayerLora? lora = null) =>
        EagerLayer.Finish(Form, Config.RmsNormEpsilon, hidden, attended, Weights.Layers[layer].Apart, lora?.Apart);

    /// <summary>Final norm and output head: rows [B, T, E] to logits [B, T, vocabulary] in float32.</summary>
    public Tensor Logits(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return nn
            .functional.linear(Operators.RmsNorm(hidden, Weights.FinalNorm, Config.RmsNormEpsilon), Weights.Head)
            .to(ScalarType.Float32)
            .MoveToOuterDisposeScope();
    }

    /// <summary>How passes over this model shall run.</summary>
    /// <param name="execution">What was asked for; null: <see cref="Execution.Compiled"/>.</param>
    /// <exception cref="InputException">It is <see cref="Execution.Graph"/>, which needs CUDA and weights in half precision.</exception>
    internal Execution Running(Execution? execution) =>
        execution is { IsRecorded: true } && !Operators.HasFlash(Device, DType, Config.HeadSize)
            ? throw new InputException(
                $"execution graph needs a GPU and bfloat16; this model is {DType} on {Device}: use --device cuda --dtype bfloat16, or another execution."
            )
            : execution ?? Execution.Compiled;

    /// <summary>Whether a pass over rows that end at <paramref name="end"/> may run compiled: a sliding window that hides something runs as written.</summary>
    internal bool RunsCompiled(Execution execution, long end) =>
        execution.IsCompiled && !(Config.SlidingWindow < end) && !(is_grad_enabled() && Weights.Embedding.requires_grad);

    /// <summary>What of the family the text of a layer depends on.</summary>
    internal LayerForm Form => LayerForm.Of(Config);

    /// <summary>What the layers of a pass share.</summary>
    internal LayerCall Call(RotaryAngles angles) => new(Form, angles.Cos, angles.Sin, Config.RmsNormEpsilon, Config.KeyValueHeads);

    /// <inheritdoc/>
    public void Dispose()
    {
        Weights.Dispose();
        _rotary.Dispose();
    }
}
