using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Scoring;

namespace LookaheadKV.Methods;

/// <summary>The named policies, with the defaults of their papers and without a budget.</summary>
public static class Policies
{
    /// <summary>Smoothing of SnapKV and of the methods built on it.</summary>
    private static readonly Pooling SnapPooling = Pooling.Max(7);

    /// <summary>Keeps everything: the baseline.</summary>
    public static EvictionPolicy Full => EvictionPolicy.Full;

    /// <summary>True importance of the model's own greedy answer: the upper bound.</summary>
    public static EvictionPolicy Oracle { get; } = new() { Name = "oracle", Scorer = new Oracle() };

    /// <summary>Attention that positions collect from the whole prompt; the last <paramref name="window"/> tokens are kept.</summary>
    public static EvictionPolicy H2O(int window = Methods.H2O.DefaultWindow) =>
        new()
        {
            Name = "h2o",
            Scorer = new H2O(),
            Protection = Protection.LastTokens(window),
        };

    /// <summary>What the last token looks at, the same for every head; the last token is kept.</summary>
    public static EvictionPolicy Tova { get; } =
        new()
        {
            Name = "tova",
            Scorer = new Tova(),
            Protection = Protection.LastTokens(1),
        };

    /// <summary>Keys of small norm.</summary>
    public static EvictionPolicy KeyNorm { get; } = new() { Name = "keynorm", Scorer = new KeyNorm() };

    /// <summary>Keys unlike the mean key.</summary>
    public static EvictionPolicy KeyDiff { get; } = new() { Name = "keydiff", Scorer = new KeyDiff() };

    /// <summary>Attention expected of queries to come; the first 4 tokens are kept.</summary>
    public static EvictionPolicy Expected(int horizon = ExpectedAttention.DefaultHorizon) =>
        new()
        {
            Name = "expected",
            Scorer = new ExpectedAttention(horizon),
            Protection = Protection.FirstTokens(ExpectedAttention.DefaultSinks),
        };

    /// <summary>What a replay of the context looks at; one budget for all layers and heads.</summary>
    public static EvictionPolicy KVzip(int chunk = Methods.KVzip.DefaultChunk) =>
        new()
        {
            Name = "kvzip",
            Scorer = new KVzip(chunk),
            Group = GroupReduction.Max,
            Layers = new LayerAllocation.Global(),
        };

    /// <summary>LAQ: the queries of a first answer, written on SnapKV's cache; the last <paramref name="window"/> tokens are kept.</summary>
    public static EvictionPolicy Laq(int tokens = Methods.Laq.DefaultTokens, int window = Methods.Laq.DefaultWindow) =>
        new()
        {
            Name = "laq",
            Scorer = new Laq(tokens, window),
            Pooling = SnapPooling,
            Protection = Protection.LastTokens(window),
        };

    /// <summary>SpecKV: a small model's answer, read by the large one; the last <paramref name="window"/> tokens are kept.</summary>
    /// <param name="draft">A smaller model with the same tokenizer; the caller owns it.</param>
    /// <param name="tokens">Most tokens of the draft.</param>
    /// <param name="window">W.</param>
    public static EvictionPolicy SpecKV(
        Decoder draft,
        int tokens = Methods.SpecKV.DefaultTokens,
        int window = Methods.SpecKV.DefaultWindow
    ) =>
        new()
        {
            Name = "speckv",
            Scorer = new SpecKV(draft, tokens, window),
            Group = GroupReduction.Max,
            Pooling = SnapPooling,
            Protection = Protection.LastTokens(window),
        };

    /// <summary>SnapKV's scores with more entries for the lower layers.</summary>
    public static EvictionPolicy PyramidKV(int window = Methods.SnapKV.DefaultWindow) =>
        SnapKV(window) with
        {
            Name = "pyramidkv",
            Layers = new LayerAllocation.Pyramid(),
        };

    /// <summary>SnapKV's scores with a budget that the heads of a layer compete for.</summary>
    public static EvictionPolicy AdaKV(int window = Methods.SnapKV.DefaultWindow) =>
        SnapKV(window) with
        {
            Name = "adakv",
            Heads = new HeadAllocation.Adaptive(),
        };

    /// <summary>Seeded noise: the lower bound.</summary>
    public static EvictionPolicy Random(long seed = 0) => new() { Name = "random", Scorer = new RandomScore(seed) };

    /// <summary>StreamingLLM: the first <paramref name="sinks"/> and the last tokens.</summary>
    public static EvictionPolicy Streaming(int sinks = StreamingLlm.DefaultSinks) =>
        new()
        {
            Name = "streaming",
            Scorer = new StreamingLlm(),
            Protection = Protection.FirstTokens(sinks),
        };

    /// <summary>SnapKV: window of 32, max-pool 7.</summary>
    public static EvictionPolicy SnapKV(int window = Methods.SnapKV.DefaultWindow) =>
        new()
        {
            Name = "snapkv",
            Scorer = new SnapKV(window),
            Pooling = SnapPooling,
            Protection = Protection.LastTokens(window),
        };

    /// <summary>LookaheadKV with a trained module; no pooling, nothing protected: the whole budget is the top C.</summary>
    public static EvictionPolicy Lookahead(LookaheadModule module) => new() { Name = "lookahead", Scorer = new LookaheadScore(module) };
}
