using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// H2O (Zhang et al., arXiv 2306.14048), scored once after the prompt: few positions, the heavy hitters, collect most of the attention.
/// <c>s[h,j] = Σ_{i ≥ j} A_h[i,j]</c> over all rows of the prompt. A policy protects the last tokens, which few rows could see.
/// </summary>
public sealed record H2O : IPromptScorer
{
    /// <summary>How many of the last tokens a policy protects unless told otherwise.</summary>
    public const int DefaultWindow = 8;

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "h2o", Protection = Protection.LastTokens(DefaultWindow) })
        {
            Keeps = "what collects attention from the whole prompt, and the last 8 tokens",
            Paper = new(
                "Zhang et al.",
                2023,
                "H2O: Heavy-Hitter Oracle for Efficient Generative Inference of Large Language Models",
                "2306.14048"
            ),
            Needs = Needs.Queries,
            Scorer = _ => new H2O(),
        };

    /// <summary>The policy with another number of last tokens that are kept, without a budget.</summary>
    public static EvictionPolicy Policy(int window = DefaultWindow) => Method.Policy().With(Protection.LastTokens(window));

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Queries, prompt.Keys);

    /// <summary>Scores [B,H,N] (float32): the attention that each position gets from itself and all later ones; N in all.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the whole prompt.</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], in the order of their positions.</param>
    /// <param name="chunk">Rows materialised at once, ≥ 1: N×N weights never exist; null: as many as memory allows.</param>
    /// <exception cref="ArgumentException">There is not one query for each key.</exception>
    public static Tensor Score(Tensor queries, Tensor keys, int? chunk = null) =>
        queries.size(2) == keys.size(2)
            ? AttentionRows.ColumnSums(queries, keys, firstColumn: 0, chunk)
            : throw new ArgumentException(
                $"h2o sums the rows of the whole prompt: got {queries.size(2)} queries for {keys.size(2)} keys; give one for each."
            );
}
