using LookaheadKV.Budgeting;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Eviction of a whole prompt whose layers are all there.</summary>
public static class PromptEviction
{
    /// <summary>Scores of every layer by a method that needs them all, grouped and pooled: [B,G,N] each.</summary>
    /// <param name="policy">A policy with such a scorer.</param>
    /// <param name="scorer">The policy's scorer.</param>
    /// <param name="prompt">The prompt after its pass.</param>
    /// <param name="count">C, entries a layer and head on average.</param>
    public static IReadOnlyList<Tensor> Scores(EvictionPolicy policy, IWholePromptScorer scorer, WholePrompt prompt, long count)
    {
        using var scope = NewDisposeScope();
        return
        [
            .. scorer
                .Score(prompt, count)
                .Zip(prompt.Layers, (scores, rows) => LayerEviction.Shape(policy, scores, rows).MoveToOuterDisposeScope()),
        ];
    }

    /// <summary>What a policy keeps of every layer.</summary>
    /// <param name="policy">The policy; its budget is not looked at.</param>
    /// <param name="scores">Scores [B,G,N] of each layer.</param>
    /// <param name="entries">Entries a head keeps, summed over the layers.</param>
    public static IReadOnlyList<KeptSet> Select(EvictionPolicy policy, IReadOnlyList<Tensor> scores, long entries)
    {
        policy.Require();
        if (policy.Layers is LayerAllocation.Global)
            return Selection.Global(scores, entries * scores[0].size(1), policy.Protection);
        var length = scores[0].size(-1);
        var counts = LayerBudgets.Divide(policy.Layers, entries, scores.Count, length, policy.Protection.Count(length));
        return [.. scores.Select((layer, l) => LayerEviction.Select(policy, layer, counts[l]))];
    }
}
