using BenchmarkDotNet.Attributes;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Methods that score a layer from 32 rows, from the keys, or from nothing at all.</summary>
public class ScoringBenchmarks : StepBenchmark
{
    private Tensor _queries = null!; // the prompt's last rows
    private Tensor _keys = null!;
    private LayerRows _joined; // rows behind the prompt, of one pass with it, as LookaheadKV's are
    private LayerRows _apart; // rows of a pass of their own, as an answer's are

    protected override void Prepare()
    {
        _queries = Layer.Queries(Layer.Rows);
        _keys = Layer.Entries(N);
        var behind = Layer.Entries(Layer.Rows);
        _apart = new LayerRows(Layer.Queries(Layer.Rows), behind, behind);
        _joined = _apart with { JoinedKeys = cat([_keys, behind], 2) };
    }

    [Benchmark(Description = "lookahead")]
    public void Lookahead() => LookaheadScore.Score(_keys, _joined).Dispose();

    [Benchmark(Description = "oracle")]
    public void TrueImportance() => Oracle.Score(_keys, _apart).Dispose();

    [Benchmark(Description = "snapkv")]
    public void Window() => SnapKV.Score(_queries, _keys).Dispose();

    [Benchmark(Description = "laq")]
    public void PseudoAnswer() => Laq.Score(_queries, _keys, _apart).Dispose();

    [Benchmark(Description = "speckv")]
    public void Draft() => SpecKV.Score(_queries, _keys, _apart).Dispose();

    [Benchmark(Description = "tova")]
    public void LastRow() => Tova.Score(_queries, _keys).Dispose();

    [Benchmark(Description = "keynorm")]
    public void Norms() => KeyNorm.Score(_keys).Dispose();

    [Benchmark(Description = "keydiff")]
    public void Directions() => KeyDiff.Score(_keys).Dispose();

    [Benchmark(Description = "streaming")]
    public void Positions() => StreamingLlm.Score(_keys).Dispose();

    [Benchmark(Description = "random")]
    public void Noise() => RandomScore.Score(_keys, seed: 1, layer: 0).Dispose();
}
