using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// SpecKV (Galim et al., arXiv 2506.08373): a small draft model writes a first answer, and what its tokens look at in the large model stays.
/// <c>s[h,j] = max_i A_h[i,j]</c> over the prompt's last W rows and the draft's rows, j &lt; N-W. A policy protects the window.
/// </summary>
/// <param name="Draft">A smaller model with the same tokenizer; the caller owns it.</param>
/// <param name="Tokens">Most tokens that the draft writes, ≥ 1.</param>
/// <param name="Window">W, the observation window in tokens.</param>
public sealed record SpecKV(Decoder Draft, int Tokens = SpecKV.DefaultTokens, int Window = SpecKV.DefaultWindow) : IObserverScorer
{
    /// <summary>Most tokens that the draft writes, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Tokens
    {
        get;
        init => field = value.AtLeast(1, "speckv tokens", $"a draft of up to {DefaultTokens} tokens is usual");
    } = Tokens.AtLeast(1, "speckv tokens", $"a draft of up to {DefaultTokens} tokens is usual");

    /// <summary>W, the observation window in tokens, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Window
    {
        get;
        init => field = Observed(value);
    } = Observed(Window);

    /// <summary>W of the paper's experiments.</summary>
    public const int DefaultWindow = 32;

    /// <summary>Most tokens of a draft unless told otherwise.</summary>
    public const int DefaultTokens = 32;

    private static readonly TokenCount TokensParameter = new("tokens", DefaultTokens, "most tokens that the draft model writes");

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
                Name = "speckv",
                Group = GroupReduction.Max,
                Pooling = Pooling.Max(7),
                Protection = Protection.LastTokens(DefaultWindow),
            }
        )
        {
            Keeps = "what a draft model's first answer and the prompt's last 32 tokens attend to, and those 32",
            Paper = new("Galim et al.", 2025, "Draft-based Approximate Inference for LLMs", "2506.08373"),
            Parameters = [TokensParameter, WindowParameter],
            Needs = Needs.Queries | Needs.Answer | Needs.Draft,
            Scorer = given => new SpecKV(given.Draft, given.Of(TokensParameter), given.Of(WindowParameter)),
        };

    /// <summary>The policy of a draft model, without a budget.</summary>
    /// <param name="draft">A smaller model with the same tokenizer; the caller owns it.</param>
    /// <param name="tokens">Most tokens of the draft.</param>
    /// <param name="window">W.</param>
    public static EvictionPolicy Policy(Decoder draft, int tokens = DefaultTokens, int window = DefaultWindow) =>
        Method.Defaults with
        {
            Scorer = new SpecKV(draft, tokens, window),
            Protection = Protection.LastTokens(window),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <summary>The draft model's greedy answer to the prompt.</summary>
    /// <exception cref="InputException">The models do not share a vocabulary, or the draft model has no room for prompt and answer.</exception>
    public IObserver Observe(PromptContext context)
    {
        var (drafts, needed) = (Draft.Config.VocabularySize, context.Decoder.Config.VocabularySize);
        if (drafts != needed)
            throw new InputException(
                $"the draft model has {drafts} token ids, the model {needed}; give a draft model with the model's own tokenizer."
            );
        if (context.Ids.size(0) != 1)
            throw new ArgumentException($"a draft answers one prompt, got a batch of {context.Ids.size(0)}; score its rows one by one.");
        using var scope = NewDisposeScope();
        int[] prompt = [.. context.Ids[0].cpu().data<long>().Select(id => (int)id)];
        return new ResponseRows(Session.GreedyResponse(Draft, prompt, Tokens));
    }

    /// <inheritdoc/>
    public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Score(prompt.Queries, prompt.Keys, observer, Window);

    /// <summary>Scores [B,H,N] (float32): the largest weight that any of the rows gives a position; 0 on the window itself.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the prompt (at least its last W rows).</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], in the order of their positions, those of the queries last.</param>
    /// <param name="draft">Rows of the draft's M tokens behind them.</param>
    /// <param name="window">W ≥ 1; a prompt shorter than W is all window.</param>
    /// <exception cref="InputException">The window is below 1.</exception>
    public static Tensor Score(Tensor queries, Tensor keys, LayerRows draft, int window = DefaultWindow)
    {
        Observed(window);
        using var scope = NewDisposeScope();
        var length = keys.size(2);
        var rows = Math.Min(window, length);
        var watching = cat([queries.narrow(2, queries.size(2) - rows, rows), draft.Queries], 2); // [B,H,W+M,D]
        var maxima = AttentionRows.ColumnMaxima(watching, draft.KeysBehind(keys), length - rows);
        maxima.narrow(-1, length - rows, rows).zero_();
        return maxima.narrow(-1, 0, length).contiguous().MoveToOuterDisposeScope();
    }

    private static int Observed(int window) => window.AtLeast(1, "speckv window", $"the paper uses {DefaultWindow}");
}
