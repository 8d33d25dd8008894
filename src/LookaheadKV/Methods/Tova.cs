using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// TOVA (Oren et al., arXiv 2401.06104): what the last token looks at stays, the same positions for every head of a layer.
/// <c>s[j] = (1/H) Σ_h A_h[N-1,j]</c>. A policy protects the last token itself.
/// </summary>
public sealed record Tova : IPromptScorer
{
    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "tova", Protection = Protection.LastTokens(1) })
        {
            Keeps = "what the last token attends to, the same for every head, and that token",
            Paper = new("Oren et al.", 2024, "Transformers are Multi-State RNNs", "2401.06104"),
            Needs = Needs.Queries,
            Scorer = _ => new Tova(),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Queries, prompt.Keys);

    /// <summary>Scores [B,G,N] (float32), equal over the G key/value heads; they sum to 1 over N.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the prompt (at least its last row).</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], in the order of their positions, the query's own last.</param>
    public static Tensor Score(Tensor queries, Tensor keys)
    {
        using var scope = NewDisposeScope();
        var (batch, kvHeads, length) = (keys.size(0), keys.size(1), keys.size(2));
        var row = AttentionRows.Softmax(queries.narrow(2, queries.size(2) - 1, 1), keys, length - 1); // [B,H,1,N]
        return row.mean([1L]).expand(batch, kvHeads, length).contiguous().MoveToOuterDisposeScope(); // [B,1,N] → [B,G,N]
    }
}
