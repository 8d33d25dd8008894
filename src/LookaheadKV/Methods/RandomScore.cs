using LookaheadKV.Eviction;
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
    private static readonly SeedNumber SeedParameter = new("seed", "seed of the noise");

    /// <summary>The method under its name.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "random" })
        {
            Keeps = "seeded noise: the lower bound",
            Parameters = [SeedParameter],
            FigurePlace = 5,
            Scorer = given => new RandomScore(given.Of(SeedParameter) ?? given.Seed),
        };

    /// <summary>The policy of that seed, without a budget.</summary>
    public static EvictionPolicy Policy(long seed = 0) => Method.Policy(new PolicyParts(Seed: seed));

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) =>
        prompt.Positions is { } positions
            ? Score(prompt.Keys, positions, context.Ids.size(1), Seed, layer)
            : Score(prompt.Keys, Seed, layer);

    /// <summary>Scores [B,G,N] (float32) for the keys [B,G,N,D] of a whole prompt.</summary>
    public static Tensor Score(Tensor keys, long seed, int layer)
    {
        using var scope = NewDisposeScope();
        return Draw(keys, keys.size(2), seed, layer).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Scores [B,G,n] (float32) for some of a prompt's keys: each position scores what it scores in the whole prompt.</summary>
    /// <param name="keys">The keys [B,G,n,D]; only their shape is read.</param>
    /// <param name="positions">Their positions (int64), broadcastable to [B,G,n].</param>
    /// <param name="length">N, tokens of the whole prompt.</param>
    /// <param name="seed">Seed of the noise.</param>
    /// <param name="layer">0..L-1.</param>
    public static Tensor Score(Tensor keys, Tensor positions, long length, long seed, int layer)
    {
        using var scope = NewDisposeScope();
        return Draw(keys, length, seed, layer)
            .gather(2, positions.expand(keys.size(0), keys.size(1), keys.size(2)))
            .MoveToOuterDisposeScope();
    }

    // Of every position of a prompt, [B,G,N].
    private static Tensor Draw(Tensor keys, long length, long seed, int layer)
    {
        using var generator = new Generator((ulong)(seed * 1_000_003 + layer), CPU);
        return rand([1, keys.size(1), length], dtype: ScalarType.Float32, generator: generator)
            .to(keys.device)
            .expand(keys.size(0), keys.size(1), length);
    }
}
