using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class KeyDiffTests
{
    private static double Norm(IEnumerable<double> vector) => Math.Sqrt(vector.Sum(x => x * x));

    [Fact]
    public void Keydiff_is_the_negative_cosine_to_the_mean_direction()
    {
        using var scope = NewDisposeScope();
        Near(
            KeyDiff.Score(Rows.Tensors.Keys),
            2,
            Rows.Length,
            (b, g, j) =>
            {
                double[] Unit(double[] x) => [.. x.Select(value => value / Norm(x))];
                double[][] units = [.. Enumerable.Range(0, Rows.Length).Select(i => Unit(Rows.Key(b, g, i)))];
                double[] mean = [.. Enumerable.Range(0, 6).Select(d => units.Average(u => u[d]))];
                return -Unit(mean).Zip(units[j], (m, u) => m * u).Sum();
            }
        );
        var withZero = Rows.Tensors.Keys.clone();
        withZero.narrow(2, 3, 1).zero_();
        Assert.Equal(0, KeyDiff.Score(withZero)[1, 1, 3].item<float>());
        Assert.True(KeyDiff.Score(withZero).isfinite().all().item<bool>());
    }
}
