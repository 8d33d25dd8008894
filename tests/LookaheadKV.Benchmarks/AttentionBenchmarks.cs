using BenchmarkDotNet.Attributes;
using LookaheadKV.Attention;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>What scores are made of: the attention of the prompt's last 32 rows to all its keys.</summary>
public class AttentionBenchmarks : StepBenchmark
{
    private Tensor _queries = null!;
    private Tensor _keys = null!;

    protected override void Prepare() => (_queries, _keys) = (Layer.Queries(Layer.Rows), Layer.Entries(N));

    [Benchmark(Description = "softmax of 32 rows")]
    public void Softmax() => AttentionRows.Softmax(_queries, _keys, N - Layer.Rows).Dispose();

    [Benchmark(Description = "column sums")]
    public void ColumnSums() => AttentionRows.ColumnSums(_queries, _keys, N - Layer.Rows).Dispose();

    [Benchmark(Description = "column maxima")]
    public void ColumnMaxima() => AttentionRows.ColumnMaxima(_queries, _keys, N - Layer.Rows).Dispose();
}
