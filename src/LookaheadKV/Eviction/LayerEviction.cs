using LookaheadKV.Budgeting;
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
        return Shape(policy, raw, prompt).MoveToOuterDisposeScope();
    }

    /// <summary>Raw scores of a layer, grouped and pooled: [B,G,N].</summary>
    public static Tensor Shape(EvictionPolicy policy, Tensor scores, LayerRows prompt)
    {
        using var scope = NewDisposeScope();
        return policy.Pooling.Apply(Grouping.Reduce(scores, prompt.Keys.size(1), policy.Group)).MoveToOuterDisposeScope();
    }

    /// <summary>What a policy keeps of a layer.</summary>
    /// <param name="policy">The policy; its budget is not looked at.</param>
    /// <param name="scores">Scores [B,G,N].</param>
    /// <param name="count">C, entries a head on average.</param>
    public static KeptSet Select(EvictionPolicy policy, Tensor scores, long count) =>
        policy.Heads is HeadAllocation.Adaptive adaptive
            ? Selection.Shared(scores, count, policy.Protection, adaptive.Floor)
            : Selection.Top(scores, count, policy.Protection);

    /// <summary>The same, without waiting for the device where all heads keep equally many: the host must know how many each keeps.</summary>
    internal static KeptSet Select(EvictionPolicy policy, Tensor scores, long count, RankCheck check) =>
        policy.Heads is HeadAllocation.Adaptive adaptive
            ? Selection.Shared(scores, count, policy.Protection, adaptive.Floor)
            : Selection.Top(scores, count, policy.Protection, check);

    /// <summary>The whole layer in fresh storage: what the full-cache policy keeps.</summary>
    public static DenseLayer KeepAll(LayerRows prompt, long reserve)
    {
        using var scope = NewDisposeScope();
        var keys = prompt.Keys;
        var (b, g, n) = (keys.size(0), keys.size(1), keys.size(2));
        var cache = new DenseLayer(b, g, n + reserve, keys.size(3), keys.dtype, keys.device);
        cache.Append(keys, prompt.Values, prompt.KeyPositions());
        return cache;
    }
}
