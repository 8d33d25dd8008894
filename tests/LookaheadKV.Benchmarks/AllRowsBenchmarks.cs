using BenchmarkDotNet.Attributes;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Methods whose formula asks for the attention of as many rows as the prompt has: N² weights a head.</summary>
public class AllRowsBenchmarks : StepBenchmark
{
    private Tensor _keys = null!;
    private LayerRows _rows; // the prompt's own, or a replay of it behind it

    public override IEnumerable<int> Lengths => Doubling(8192);

    protected override void Prepare()
    {
        _keys = Layer.Entries(N);
        _rows = new LayerRows(Layer.Queries(N), Layer.Entries(N), Layer.Entries(N));
    }

    [Benchmark(Description = "h2o")]
    public void HeavyHitters() => H2O.Score(_rows.Queries, _keys).Dispose();

    [Benchmark(Description = "kvzip")]
    public void Replay() => KVzip.Score(_keys, _rows, 0, N).Dispose();
}
