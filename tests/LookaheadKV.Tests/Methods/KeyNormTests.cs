using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class KeyNormTests
{
    private static double Norm(IEnumerable<double> vector) => Math.Sqrt(vector.Sum(x => x * x));

    [Fact]
    public void Keynorm_is_the_negative_length()
    {
        using var scope = NewDisposeScope();
        Near(KeyNorm.Score(Rows.Tensors.Keys), 2, Rows.Length, (b, g, j) => -Norm(Rows.Key(b, g, j)));
    }
}
