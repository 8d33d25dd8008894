using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// KeyDiff (Park et al., arXiv 2504.15364): keys unlike the others carry what the others do not, so the most distinct ones stay.
/// <c>s[g,j] = -cos(k_j, m)</c> with <c>m = (1/N) Σ_i k_i / ‖k_i‖₂</c>. No query is read and nothing is protected.
/// Two keys are equally unlike their mean: with N = 2 rounding alone decides.
/// </summary>
public sealed record KeyDiff : IPromptScorer
{
    // A key of zeros has no direction: it scores 0, not NaN.
    private const double LeastNorm = 1e-12;

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "keydiff" })
        {
            Keeps = "keys unlike the mean key",
            Paper = new(
                "Park et al.",
                2025,
                "KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference in Resource-Constrained Environments",
                "2504.15364"
            ),
            Scorer = _ => new KeyDiff(),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Keys);

    /// <summary>Scores [B,G,N] (float32), from -1 (the mean's own direction) to 1 (the opposite one); 0 for a key of zeros.</summary>
    /// <param name="keys">Post-RoPE keys [B,G,N,D].</param>
    public static Tensor Score(Tensor keys)
    {
        using var scope = NewDisposeScope();
        var exact = keys.to(AttentionRows.ScorePrecision(keys.dtype));
        var norms = Norms(exact); // [B,G,N,1]
        // Two products with vectors read the keys where they are: their directions are never written.
        var mean = (1 / norms).transpose(2, 3).matmul(exact).div(keys.size(2)); // [B,G,1,D]
        var unit = mean / Norms(mean);
        return exact.matmul(unit.transpose(2, 3)).div_(norms).squeeze(-1).neg_().MoveToOuterDisposeScope();
    }

    private static Tensor Norms(Tensor vectors) => linalg.vector_norm(vectors, 2, [-1L], keepdim: true).clamp_min(LeastNorm);
}
