using LookaheadKV.Evaluation.Speed;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Speed;

public class SpeedBenchmarkTests
{
    /// <summary>
    /// Two order statistics enclose the median with a probability that counting coins gives: it is 95 % or more, and no closer two have that.
    /// </summary>
    [Fact]
    public void The_interval_of_a_median_is_the_closest_that_holds_it_95_percent_of_the_time()
    {
        var random = new Random(1);
        for (var n = 6; n <= 80; n++)
        {
            double[] values = [.. Enumerable.Range(1, n).Select(i => (double)i)];
            random.Shuffle(values);
            var (low, high) = SpeedBenchmark.MedianInterval(values);
            Assert.Equal(n + 1, low + high); // as far from one end as from the other
            Assert.True(Enclosed(n, (int)low, (int)high) >= 0.95, $"{n}: {low} to {high}");
            Assert.True(Enclosed(n, (int)low + 1, (int)high - 1) < 0.95, $"{n}: {low + 1} to {high - 1} would do");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void Few_values_cannot_and_give_their_ends(int n)
    {
        var values = Enumerable.Range(1, n).Select(i => (double)i);
        Assert.Equal((1.0, n), SpeedBenchmark.MedianInterval(values));
    }

    // The chance that at least `from` and fewer than `to` of n values lie below the median.
    private static double Enclosed(int n, int from, int to)
    {
        var ways = new double[n + 1];
        ways[0] = 1;
        for (var i = 1; i <= n; i++)
        for (var k = i; k > 0; k--)
            ways[k] += ways[k - 1];
        return Enumerable.Range(from, Math.Max(0, to - from)).Sum(k => ways[k]) / Math.Pow(2, n);
    }
}
