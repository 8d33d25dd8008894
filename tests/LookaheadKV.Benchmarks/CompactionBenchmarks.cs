using BenchmarkDotNet.Attributes;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Kept entries, an eighth of them or all, into storage of their own; beside them the copy of a layer into storage that is there.</summary>
public class CompactionBenchmarks : StepBenchmark
{
    private LayerRows _prompt;
    private LayerRows _there;
    private KeptSet _even = null!;
    private KeptSet _ragged = null!;
    private DenseLayer _cache = null!;

    protected override void Prepare()
    {
        _prompt = new LayerRows(empty(0), Layer.Entries(N), Layer.Entries(N));
        _there = new LayerRows(empty(0), Layer.Entries(N), Layer.Entries(N));
        using var scores = Layer.Scores(N);
        (_even, _ragged) = (Selection.Top(scores, N / Layer.Share), Selection.Shared(scores, N / Layer.Share));
        _cache = LayerEviction.KeepAll(_prompt, reserve: 0);
    }

    [Benchmark(Description = "copy of a layer")]
    public void Copy()
    {
        _there.Keys.copy_(_prompt.Keys);
        _there.Values.copy_(_prompt.Values);
    }

    [Benchmark(Description = "keep all")]
    public void KeepAll() => LayerEviction.KeepAll(_prompt, reserve: 0).Dispose();

    [Benchmark(Description = "keep, rectangular")]
    public void Rectangular() => Compaction.Keep(_prompt.Keys, _prompt.Values, _even).Dispose();

    [Benchmark(Description = "keep, ragged")]
    public void Ragged() => Compaction.Keep(_prompt.Keys, _prompt.Values, _ragged).Dispose();

    [Benchmark(Description = "keep, of a cache")]
    public void OfCache() => Compaction.Keep(_cache, _ragged).Dispose();
}
