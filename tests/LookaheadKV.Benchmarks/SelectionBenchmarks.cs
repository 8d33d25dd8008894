using BenchmarkDotNet.Attributes;
using LookaheadKV.Eviction;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Which entries stay, an eighth of them.</summary>
public class SelectionBenchmarks : StepBenchmark
{
    private static readonly Protection Window = Protection.LastTokens(Layer.Rows);
    private Tensor _scores = null!;
    private Tensor[] _layers = [];

    protected override void Prepare()
    {
        _scores = Layer.Scores(N);
        _layers = [.. Enumerable.Range(0, Layer.Shape.Layers).Select(_ => Layer.Scores(N))];
    }

    [Benchmark(Description = "top")]
    public void Top() => Selection.Top(_scores, N / Layer.Share).Dispose();

    [Benchmark(Description = "top, a window protected")]
    public void TopBesideWindow() => Selection.Top(_scores, N / Layer.Share, Window).Dispose();

    [Benchmark(Description = "shared by a layer's heads")]
    public void Shared() => Selection.Shared(_scores, N / Layer.Share).Dispose();

    [Benchmark(Description = "shared by 16 layers")]
    public void Global()
    {
        foreach (var kept in Selection.Global(_layers, _layers.Length * Layer.Shape.KeyValueHeads * (long)N / Layer.Share))
            kept.Dispose();
    }
}
