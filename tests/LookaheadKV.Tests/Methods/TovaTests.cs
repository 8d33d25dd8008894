using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class TovaTests
{
    [Fact]
    public void Tova_averages_the_last_row_over_the_heads()
    {
        using var scope = NewDisposeScope();
        var last = Rows.Length - 1;
        double Expected(int b, int g, int j) => Enumerable.Range(0, 4).Average(h => Rows.Attention(b, h, last)[j]);
        Near(Tova.Score(Rows.Tensors.Queries, Rows.Tensors.Keys), 2, Rows.Length, Expected);
        Near(Tova.Score(Rows.Part(last, 1).Queries, Rows.Tensors.Keys), 2, Rows.Length, Expected);
    }
}
