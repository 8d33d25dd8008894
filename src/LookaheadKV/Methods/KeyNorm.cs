using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// KeyNorm (Devoto et al., arXiv 2406.11430): keys of small norm draw much attention, so the small ones stay.
/// <c>s[g,j] = -‖k_j‖₂</c>. No query is read and nothing is protected.
/// </summary>
public sealed record KeyNorm : IPromptScorer
{
    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "keynorm" })
        {
            Keeps = "keys of small norm",
            Paper = new("Devoto et al.", 2024, "A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression", "2406.11430"),
            Scorer = _ => new KeyNorm(),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Keys);

    /// <summary>Scores [B,G,N] (float32), never positive. Rotation keeps norms, so RoPE makes no difference.</summary>
    /// <param name="keys">Keys [B,G,N,D].</param>
    public static Tensor Score(Tensor keys)
    {
        using var scope = NewDisposeScope();
        return linalg.vector_norm(keys.to(AttentionRows.ScorePrecision(keys.dtype)), 2, [-1L]).neg().MoveToOuterDisposeScope();
    }
}
