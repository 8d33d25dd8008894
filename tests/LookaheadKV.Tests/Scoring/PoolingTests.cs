using LookaheadKV.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Scoring;

public sealed class PoolingTests
{
    private static readonly float[] Scores = [3, 0, -1, 6, 0, 0, 0, 9];

    public static TheoryData<Pooling, float[]> Smoothed =>
        new()
        {
            { Pooling.None, [3, 0, -1, 6, 0, 0, 0, 9] },
            { Pooling.Max(1), [3, 0, -1, 6, 0, 0, 0, 9] },
            { Pooling.Max(3), [3, 3, 6, 6, 6, 0, 9, 9] },
            { Pooling.Max(5), [3, 6, 6, 6, 6, 9, 9, 9] },
            { Pooling.Mean(1), [3, 0, -1, 6, 0, 0, 0, 9] },
            { Pooling.Mean(3), [1, 2 / 3f, 5 / 3f, 5 / 3f, 2, 0, 3, 3] }, // beyond the ends counts as 0
        };

    [Theory]
    [MemberData(nameof(Smoothed))]
    public void A_position_inherits_from_its_neighbours(Pooling pooling, float[] expected)
    {
        using var scope = NewDisposeScope();
        // Two rows of two heads: no head leaks into its neighbours.
        var pooled = pooling.Apply(tensor(Scores).expand(2, 2, 8));
        Assert.Equal([2, 2, 8], pooled.shape);
        for (var head = 0; head < 4; head++)
            Assert.Equal(
                expected,
                pooled[head / 2, head % 2].contiguous().data<float>().ToArray(),
                (wanted, got) => MathF.Abs(wanted - got) < 1e-6
            );
    }

    [Fact]
    public void The_largest_neighbour_may_be_negative()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([-2, -1, -1], Pooling.Max(3).Apply(tensor(new float[] { -3, -2, -1 }).view(1, 1, 3)).data<float>().ToArray());
    }

    [Fact]
    public void Widths_are_positive_odd_numbers()
    {
        foreach (var width in new[] { -1, 0, 2, 8 })
        foreach (var make in new Func<int, Pooling>[] { Pooling.Max, Pooling.Mean })
            Assert.Contains($"pooling width {width} ", Assert.Throws<InputException>(() => make(width)).Message);
        Assert.Equal(["none", "max:7", "mean:1"], new[] { Pooling.None, Pooling.Max(7), Pooling.Mean(1) }.Select(p => p.ToString()));
    }
}
