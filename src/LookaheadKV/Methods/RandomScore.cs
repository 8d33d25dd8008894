using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// Seeded uniform noise: the lower bound that every table shows. <c>s ~ U(0,1)</c>, drawn on the CPU from (seed, layer), so that
/// devices and dtypes agree and every row of a batch gets what it would get alone.
/// </summary>
/// <param name="Seed">Seed of the noise.</param>
public sealed record RandomScore(long Seed = 0) : IPromptScorer
{
    /// <summary>Its name as a method.</summary>
    public const string Method = "random";

    /// <inheritdoc/>
    public string Name => Method;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Keys, Seed, layer);

    /// <summary>Scores [B,G,N] (float32) for keys [B,G,N,D].</summary>
    public static Tensor Score(Tensor keys, long seed, int layer)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)(seed * 1_000_003 + layer), CPU);
        return rand([1, keys.size(1), keys.size(2)], dtype: ScalarType.Float32, generator: generator)
            .to(keys.device)
            .expand(keys.size(0), keys.size(1), keys.size(2))
            .contiguous()
            .MoveToOuterDisposeScope();
    }
}
