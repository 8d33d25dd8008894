using LookaheadKV.Attention;
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
    /// <inheritdoc/>
    public string Name => "keynorm";

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
