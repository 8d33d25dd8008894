using BenchmarkDotNet.Attributes;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Expected attention, which reads every query of the prompt once for its mean and covariance.</summary>
public class MomentBenchmarks : StepBenchmark
{
    private LayerRows _prompt;
    private RotaryAngles _own;
    private RotaryAngles _future;

    protected override void Prepare()
    {
        using var rotary = new RotaryEmbedding(Layer.Shape, CPU, ScalarType.Float32);
        _prompt = new LayerRows(Layer.Queries(N), Layer.Entries(N), Layer.Entries(N));
        (_own, _future) = (rotary.Rows(0, N), rotary.Rows(N, ExpectedAttention.DefaultHorizon));
    }

    [Benchmark(Description = "expected")]
    public void Expected() => ExpectedAttention.Score(_prompt, _own, _future).Dispose();
}
