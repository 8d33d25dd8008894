using LookaheadKV.Cache;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>One layer's way from rows to a compacted cache: score → group → pool, then select → compact.</summary>
public static class LayerEviction
{
    /// <summary>Scores of a layer, grouped and pooled: [B,G,N] (float32), higher = keep.</summary>
    /// <param name="policy">A policy with a scorer.</param>
    /// <param name="context">The model and the prompt's tokens.</param>
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">The prompt's rows in this layer.</param>
    /// <param name="observer">The observer's rows, where the scorer is an <see cref="IObserverScorer"/>.</param>
    public static Tensor Scores(EvictionPolicy policy, PromptContext context, int layer, LayerRows prompt, LayerRows? observer)
    {
        using var scope = NewDisposeScope();
        var raw = policy.Scorer switch
        {
            IPromptScorer scorer => scorer.Score(context, layer, prompt),
            IObserverScorer scorer when observer is { } rows => scorer.Score(layer, prompt, rows),
            _ => throw new ArgumentException($"policy {policy.Name} cannot score a layer without its observer's rows."),
        };
        return policy.Pooling.Apply(Grouping.Reduce(raw, prompt.Keys.size(1), policy.Group)).MoveToOuterDisposeScope();
    }

    /// <summary>Keeps the best <paramref name="count"/> entries of a layer in fresh storage.</summary>
    /// <param name="prompt">The prompt's rows in this layer.</param>
    /// <param name="scores">Scores [B,G,N].</param>
    /// <param name="count">C.</param>
    /// <param name="protection">Positions kept whatever their score.</param>
    /// <param name="reserve">Room for tokens to come.</param>
    public static LayerCache Evict(LayerRows prompt, Tensor scores, long count, Protection protection, long reserve)
    {
        using var kept = Selection.Top(scores, count, protection);
        return Compaction.Keep(prompt.Keys, prompt.Values, kept, reserve);
    }

    /// <summary>The whole layer in fresh storage: what the full-cache policy keeps.</summary>
    public static LayerCache KeepAll(LayerRows prompt, long reserve)
    {
        using var scope = NewDisposeScope();
        var keys = prompt.Keys;
        var (b, g, n) = (keys.size(0), keys.size(1), keys.size(2));
        var cache = new LayerCache(b, g, n + reserve, keys.size(3), keys.dtype, keys.device);
        cache.Append(keys, prompt.Values, arange(n, device: keys.device));
        return cache;
    }
}
