using LookaheadKV.Methods;
using LookaheadKV.Models;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>What all score functions that read attention or keys have in common.</summary>
public sealed class ScoreReferenceTests
{
    [Fact]
    public void Low_precision_rows_are_scored_in_float32()
    {
        using var scope = NewDisposeScope();
        var (q, k) = (Alone.Tensors.Queries.bfloat16(), Alone.Tensors.Keys.bfloat16());
        var v = Alone.Tensors.Values.bfloat16();
        // The same rounded rows in float32 have the same scores: no step of a score is taken in bfloat16.
        var (q32, k32, v32) = (q.@float(), k.@float(), v.@float());
        foreach (
            var score in new Func<Tensor, Tensor, Tensor, Tensor>[]
            {
                (q, k, _) => SnapKV.Score(q, k, 3),
                (q, k, _) => H2O.Score(q, k),
                (q, k, _) => Tova.Score(q, k),
                (_, k, _) => KeyNorm.Score(k),
                (_, k, _) => KeyDiff.Score(k),
                (q, k, v) => Laq.Score(q, k, new LayerRows(q, k, v), 3),
                (q, k, v) => SpecKV.Score(q, k, new LayerRows(q, k, v), 3),
                (q, k, v) => KVzip.Score(k, new LayerRows(q, k, v), 0, Prompt),
                (q, k, v) => Oracle.Score(k, new LayerRows(q, k, v)),
            }
        )
        {
            var low = score(q, k, v);
            Assert.Equal(ScalarType.Float32, low.dtype);
            Assert.InRange((low - score(q32, k32, v32)).abs().max().item<float>(), 0, 1e-5f);
        }
    }
}
