using BenchmarkDotNet.Attributes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>From scores of query heads to those of key/value heads, and over neighbours.</summary>
public class ShapingBenchmarks : StepBenchmark
{
    private static readonly Pooling MaxOf7 = Pooling.Max(7);
    private static readonly Pooling MeanOf7 = Pooling.Mean(7);
    private Tensor _heads = null!;
    private Tensor _scores = null!;

    protected override void Prepare() => (_heads, _scores) = (rand(1, Layer.Shape.QueryHeads, N), Layer.Scores(N));

    [Benchmark(Description = "group: mean")]
    public void GroupMean() => Grouping.Reduce(_heads, Layer.Shape.KeyValueHeads).Dispose();

    [Benchmark(Description = "group: max")]
    public void GroupMax() => Grouping.Reduce(_heads, Layer.Shape.KeyValueHeads, GroupReduction.Max).Dispose();

    [Benchmark(Description = "pool: max of 7")]
    public void PoolMax() => MaxOf7.Apply(_scores).Dispose();

    [Benchmark(Description = "pool: mean of 7")]
    public void PoolMean() => MeanOf7.Apply(_scores).Dispose();
}
