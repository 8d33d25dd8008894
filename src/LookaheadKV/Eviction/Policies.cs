using LookaheadKV.Lookahead;
using LookaheadKV.Scoring;

namespace LookaheadKV.Eviction;

/// <summary>The named policies, with the defaults of their papers and without a budget.</summary>
public static class Policies
{
    /// <summary>Keeps everything: the baseline.</summary>
    public static EvictionPolicy Full { get; } = new() { Name = "full" };

    /// <summary>Seeded noise: the lower bound.</summary>
    public static EvictionPolicy Random(long seed = 0) => new() { Name = "random", Scorer = new RandomScore(seed) };

    /// <summary>StreamingLLM: the first <paramref name="sinks"/> and the last tokens.</summary>
    public static EvictionPolicy Streaming(int sinks = 4) =>
        new()
        {
            Name = "streaming",
            Scorer = new StreamingLlm(),
            Protection = Protection.FirstTokens(sinks),
        };

    /// <summary>SnapKV: window of 32, max-pool 7.</summary>
    public static EvictionPolicy SnapKV(int window = Scoring.SnapKV.DefaultWindow) =>
        new()
        {
            Name = "snapkv",
            Scorer = new SnapKV(window),
            Pooling = Pooling.Max(7),
            Protection = Protection.LastTokens(window),
        };

    /// <summary>LookaheadKV with a trained module; no pooling, nothing protected: the whole budget is the top C.</summary>
    public static EvictionPolicy Lookahead(LookaheadModule module) => new() { Name = "lookahead", Scorer = new LookaheadScore(module) };

    /// <summary>True importance of the model's own greedy answer: the upper bound.</summary>
    public static EvictionPolicy Oracle { get; } = new() { Name = "oracle", Scorer = new Oracle() };
}
