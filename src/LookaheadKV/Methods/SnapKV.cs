using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// SnapKV (Li et al., arXiv 2404.14469): what the prompt's last W tokens look at, the answer will look at too.
/// <c>s[h,j] = Σ_{i ≥ N-W} A_h[i,j]</c> for j &lt; N-W. The window itself is not scored: a policy protects it.
/// </summary>
/// <param name="Window">W, the observation window in tokens; the paper's experiments use 32.</param>
public sealed record SnapKV(int Window = SnapKV.DefaultWindow) : IPromptScorer
{
    /// <summary>W, the observation window in tokens, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Window
    {
        get;
        init => field = Observed(value);
    } = Observed(Window);

    /// <summary>W of the paper's experiments.</summary>
    public const int DefaultWindow = 32;

    private static readonly TokenCount WindowParameter = new(
        "window",
        DefaultWindow,
        "W, the observation window; the last W tokens are kept too"
    );

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(
            new EvictionPolicy
            {
                Name = "snapkv",
                Pooling = Pooling.Max(7),
                Protection = Protection.LastTokens(DefaultWindow),
            }
        )
        {
            Keeps = "what the prompt's last 32 tokens attend to, max-pooled over 7, and those 32",
            Paper = new("Li et al.", 2024, "SnapKV: LLM Knows What You are Looking for Before Generation", "2404.14469"),
            Parameters = [WindowParameter],
            Needs = Needs.Queries,
            FigurePlace = 3,
            Scorer = given => new SnapKV(given.Of(WindowParameter)),
        };

    /// <summary>The policy with another window, without a budget.</summary>
    public static EvictionPolicy Policy(int window = DefaultWindow) =>
        Method.Defaults with
        {
            Scorer = new SnapKV(window),
            Protection = Protection.LastTokens(window),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Queries, prompt.Keys, Window);

    /// <summary>Scores [B,H,N] (float32): attention that the last W rows give each earlier position; 0 on the window itself.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the prompt (at least its last W rows).</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], in the order of their positions, those of the queries last.</param>
    /// <param name="window">W ≥ 1; a prompt shorter than W is all window.</param>
    public static Tensor Score(Tensor queries, Tensor keys, int window = DefaultWindow)
    {
        Observed(window);
        using var scope = NewDisposeScope();
        var length = keys.size(2);
        var rows = Math.Min(window, Math.Min(length, queries.size(2)));
        var last = queries.narrow(2, queries.size(2) - rows, rows);
        var sums = AttentionRows.ColumnSums(last, keys, length - rows);
        // Zero is the smallest possible sum: pooling lets nothing of the window leak to its neighbours.
        sums.narrow(-1, length - rows, rows).zero_();
        return sums.MoveToOuterDisposeScope();
    }

    private static int Observed(int window) => window.AtLeast(1, "snapkv window", $"the paper uses {DefaultWindow}");
}
