using LookaheadKV.Attention;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// LAQ, Lookahead Q-Cache (Wang et al., arXiv 2505.20334): a first answer, written on a cheaply evicted cache, asks better than the prompt's end.
/// <c>s[h,j] = Σ_i A_h[i,j]</c> over the prompt's last W rows and the rows of the pseudo answer, j &lt; N-W. A policy protects the window.
/// </summary>
/// <param name="Tokens">Most tokens of the pseudo answer, ≥ 0.</param>
/// <param name="Window">W, the observation window in tokens, of both scorings.</param>
public sealed record Laq(int Tokens = Laq.DefaultTokens, int Window = Laq.DefaultWindow) : IWholePromptScorer
{
    /// <summary>Most tokens of the pseudo answer, 0 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Tokens
    {
        get;
        init => field = value.AtLeast(0, "laq tokens", $"a pseudo answer of up to {DefaultTokens} tokens is usual");
    } = Tokens.AtLeast(0, "laq tokens", $"a pseudo answer of up to {DefaultTokens} tokens is usual");

    /// <summary>W, the observation window in tokens, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Window
    {
        get;
        init => field = Observed(value);
    } = Observed(Window);

    /// <summary>W of the authors' code.</summary>
    public const int DefaultWindow = 8;

    /// <summary>Most tokens of a pseudo answer unless told otherwise; the authors' code writes 8.</summary>
    public const int DefaultTokens = 32;

    private static readonly Pooling DraftPooling = Pooling.Max(7);

    private static readonly TokenCount TokensParameter = new("tokens", DefaultTokens, "most tokens of the pseudo answer");

    private static readonly TokenCount WindowParameter = new(
        "window",
        DefaultWindow,
        "W, the observation window of both scorings; the last W tokens are kept too"
    );

    /// <summary>The method under its name, with the authors' defaults.</summary>
    public static Method Method { get; } =
        new(
            new EvictionPolicy
            {
                Name = "laq",
                Pooling = DraftPooling,
                Protection = Protection.LastTokens(DefaultWindow),
            }
        )
        {
            Keeps = "what the model's own first answer, written on an evicted cache, attends to, and the last 8 tokens",
            Paper = new(
                "Wang et al.",
                2025,
                "Lookahead Q-Cache: Achieving More Consistent KV Cache Eviction via Pseudo Query",
                "2505.20334"
            ),
            Parameters = [TokensParameter, WindowParameter],
            Needs = Needs.Queries | Needs.AllLayers | Needs.Budget | Needs.Answer,
            Scorer = given => new Laq(given.Of(TokensParameter), given.Of(WindowParameter)),
        };

    /// <summary>The policy with another answer or window, without a budget.</summary>
    public static EvictionPolicy Policy(int tokens = DefaultTokens, int window = DefaultWindow) =>
        Method.Defaults with
        {
            Scorer = new Laq(tokens, window),
            Protection = Protection.LastTokens(window),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <summary>The pseudo answer is written on a cache of the budget's size.</summary>
    public bool ReadsBudget => true;

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Score(WholePrompt prompt, long count)
    {
        using var scope = NewDisposeScope();
        var pseudo = PseudoAnswer(prompt, count);
        return [.. prompt.Layers.Zip(pseudo, (rows, after) => Score(rows.Queries, rows.Keys, after, Window).MoveToOuterDisposeScope())];
    }

    /// <summary>Each layer's rows of the tokens that follow a prompt greedily on its evicted cache, M of them, an end token included.</summary>
    /// <param name="prompt">All rows of a prompt.</param>
    /// <param name="count">C, the entries that each layer and kv head of that cache keeps.</param>
    public IReadOnlyList<LayerRows> PseudoAnswer(WholePrompt prompt, long count)
    {
        var (decoder, length, execution) = (prompt.Context.Decoder, prompt.Context.Ids.size(1), prompt.Context.Execution);
        if (prompt.Context.Ids.size(0) != 1)
            throw new ArgumentException(
                $"a pseudo answer follows one prompt, got a batch of {prompt.Context.Ids.size(0)}; score its rows one by one."
            );
        using var scope = NewDisposeScope();
        var room = DecodingLoop.Limit(Tokens, decoder.Config.MaxPositions, length);
        using var cache = new KeyValueCache(length);
        foreach (var rows in prompt.Layers)
            cache.Add(EvictedLayer(rows, count, room));
        var steps = prompt.Layers.Select(rows => new List<LayerRows> { NoRows(rows) }).ToList();
        var last = -1;
        foreach (var token in DecodingLoop.Greedy(decoder, cache, prompt.NextToken, room, Take, execution: execution))
            last = token;
        if (last >= 0) // what it looks at counts too
            Decoding.Extend(decoder, cache, decoder.Ids([last]), Take, execution);
        return [.. steps.Select(rows => Joined(rows, length))];

        void Take(int layer, LayerRows rows) => steps[layer].Add(Moved(rows, scope));
    }

    /// <summary>Scores [B,H,N] (float32): the attention that each earlier position gets from the rows; 0 on the window itself.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the prompt (at least its last W rows).</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D] of the full cache, in the order of their positions, those of the queries last.</param>
    /// <param name="pseudo">Rows of the M ≥ 0 pseudo tokens behind them.</param>
    /// <param name="window">W ≥ 1; a prompt shorter than W is all window.</param>
    /// <exception cref="InputException">The window is below 1.</exception>
    public static Tensor Score(Tensor queries, Tensor keys, LayerRows pseudo, int window = DefaultWindow)
    {
        Observed(window);
        using var scope = NewDisposeScope();
        var length = keys.size(2);
        var rows = Math.Min(window, length);
        var watching = cat([queries.narrow(2, queries.size(2) - rows, rows), pseudo.Queries], 2); // [B,H,W+M,D]
        var sums = AttentionRows.ColumnSums(watching, pseudo.KeysBehind(keys), length - rows);
        sums.narrow(-1, length - rows, rows).zero_();
        return sums.narrow(-1, 0, length).contiguous().MoveToOuterDisposeScope();
    }

    // SnapKV with this method's own window, so that a budget that holds the window is enough for both.
    private DenseLayer EvictedLayer(LayerRows rows, long count, long reserve)
    {
        using var scope = NewDisposeScope();
        var scores = Grouping.Reduce(SnapKV.Score(rows.Queries, rows.Keys, Window), rows.Keys.size(1));
        using var kept = Selection.Top(DraftPooling.Apply(scores), count, Protection.LastTokens((int)Math.Min(Window, count)));
        return Compaction.Keep(rows.Keys, rows.Values, kept, reserve);
    }

    private static int Observed(int window) => window.AtLeast(1, "laq window", $"the authors' code uses {DefaultWindow}");

    private static LayerRows Moved(LayerRows rows, DisposeScope scope) =>
        new(
            rows.Queries.MoveToOtherDisposeScope(scope),
            rows.Keys.MoveToOtherDisposeScope(scope),
            rows.Values.MoveToOtherDisposeScope(scope)
        );

    private static LayerRows NoRows(LayerRows rows) =>
        new(rows.Queries.narrow(2, 0, 0), rows.Keys.narrow(2, 0, 0), rows.Values.narrow(2, 0, 0));

    private static LayerRows Joined(List<LayerRows> steps, long first)
    {
        return new(Join(rows => rows.Queries), Join(rows => rows.Keys), Join(rows => rows.Values))
        {
            Positions = LayerRows.Following(first, steps.Count - 1, steps[0].Keys.device).MoveToOuterDisposeScope(), // a row a step behind none
        };

        Tensor Join(Func<LayerRows, Tensor> part) => cat([.. steps.Select(part)], 2).MoveToOuterDisposeScope();
    }
}
