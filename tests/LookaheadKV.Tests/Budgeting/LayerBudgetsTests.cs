using LookaheadKV.Budgeting;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class LayerBudgetsTests
{
    [Theory]
    [InlineData(7, 3, new long[] { 3, 2, 2 })]
    [InlineData(8, 3, new long[] { 3, 3, 2 })]
    [InlineData(9, 3, new long[] { 3, 3, 3 })]
    [InlineData(3, 3, new long[] { 1, 1, 1 })]
    [InlineData(30, 3, new long[] { 10, 10, 10 })]
    [InlineData(4, 1, new long[] { 4 })]
    public void Even_layers_differ_by_one_at_most_and_the_lower_ones_hold_more(long entries, int layers, long[] expected) =>
        Assert.Equal(expected, LayerBudgets.Divide(LayerAllocation.Uniform, entries, layers, length: 10, held: 0));

    /// <summary>Beside what is held, the mean b becomes b/β above and 2b − b/β below; worked out by hand.</summary>
    [Theory]
    [InlineData(20, 63, 3, 100, 1, new long[] { 40, 21, 2 })] // b = 20: 39, 20, 1
    [InlineData(20, 63, 3, 100, 0, new long[] { 40, 21, 2 })] // no layer is left without an entry
    [InlineData(20, 84, 3, 100, 8, new long[] { 47, 28, 9 })] // the same b beside 8 held ones
    [InlineData(2, 70, 5, 100, 4, new long[] { 19, 17, 14, 11, 9 })] // b = 10: 15, 12.5, 10, 7.5, 5; the halves' one spare entry goes down
    [InlineData(20, 84, 3, 30, 8, new long[] { 30, 28, 26 })] // the lowest layer is full: the others share what it cannot take
    [InlineData(20, 90, 3, 30, 8, new long[] { 30, 30, 30 })] // everything
    [InlineData(20, 24, 3, 30, 8, new long[] { 8, 8, 8 })] // only what is held
    [InlineData(1, 63, 3, 100, 1, new long[] { 21, 21, 21 })] // β of 1 is flat
    [InlineData(20, 17, 1, 30, 2, new long[] { 17 })] // one layer keeps the mean
    public void A_pyramid_falls_linearly(double beta, long entries, int layers, long length, long held, long[] expected) =>
        Assert.Equal(expected, LayerBudgets.Divide(new LayerAllocation.Pyramid(beta), entries, layers, length, held));

    [Fact]
    public void Parts_add_up_and_lie_between_what_is_held_and_the_prompt()
    {
        var random = new Random(3);
        for (var i = 0; i < 300; i++)
        {
            var (layers, length) = (random.Next(1, 9), random.Next(1, 60));
            var held = random.Next(0, length + 1);
            var least = layers * Math.Max(1, held);
            var entries = random.Next(least, layers * length + 1);
            var even = LayerBudgets.Divide(LayerAllocation.Uniform, entries, layers, length, held);
            var pyramid = LayerBudgets.Divide(new LayerAllocation.Pyramid(1 + 30 * random.NextDouble()), entries, layers, length, held);
            Assert.Equal(entries, even.Sum());
            Assert.Equal(entries, pyramid.Sum());
            Assert.InRange(even[0] - even[^1], 0, 1);
            Assert.All(pyramid, part => Assert.InRange(part, Math.Max(1, held), length));
            Assert.All(pyramid.Zip(pyramid.Skip(1)), pair => Assert.True(pair.First >= pair.Second, string.Join(' ', pyramid)));
        }
    }

    [Theory]
    [InlineData(5, 3, 10, 2, "6..30")]
    [InlineData(2, 3, 10, 0, "3..30")]
    [InlineData(31, 3, 10, 2, "6..30")]
    public void Entries_that_cannot_be_divided_are_refused(long entries, int layers, long length, long held, string allowed)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() =>
            LayerBudgets.Divide(LayerAllocation.Uniform, entries, layers, length, held)
        );
        Assert.Contains(allowed, error.Message);
    }

    [Fact]
    public void A_global_budget_is_not_divided_by_layers() =>
        Assert.Contains(
            "divided by scores",
            Assert.Throws<ArgumentException>(() => LayerBudgets.Divide(new LayerAllocation.Global(), 6, 3, 10, 0)).Message
        );

    [Theory]
    [InlineData(new[] { 1.2, 2.7, 3.1 }, 7, new long[] { 1, 3, 3 })]
    [InlineData(new[] { 0.5, 0.5, 1.0 }, 2, new long[] { 1, 0, 1 })]
    [InlineData(new[] { 2.4, 2.2, 2.4 }, 7, new long[] { 3, 2, 2 })]
    [InlineData(new[] { 0.1, 0.6, 0.6, 0.7 }, 2, new long[] { 0, 1, 0, 1 })]
    [InlineData(new[] { 4.0, 0.0 }, 4, new long[] { 4, 0 })]
    [InlineData(new[] { 1.5, 1.5 }, 4, new long[] { 2, 2 })] // one more than the quotas: still one each
    // What is whole but for rounding errors is whole, and remainders that differ by rounding errors are equal.
    [InlineData(new[] { 2.9999999999, 0.4, 0.6 }, 4, new long[] { 3, 0, 1 })]
    [InlineData(new[] { 0.3333333333, 0.3333333334, 0.3333333333 }, 1, new long[] { 1, 0, 0 })]
    public void What_is_missing_goes_to_the_largest_remainders(double[] quotas, long total, long[] expected) =>
        Assert.Equal(expected, LayerBudgets.LargestRemainder(quotas, total));

    [Theory]
    [InlineData(new[] { 2.0, 3.0 }, 4)]
    [InlineData(new[] { 2.0, 3.0 }, 8)]
    public void Quotas_of_another_sum_are_refused(double[] quotas, long total) =>
        Assert.Contains(
            $"add up to 5 cannot be rounded to {total}",
            Assert.Throws<ArgumentException>(() => LayerBudgets.LargestRemainder(quotas, total)).Message
        );
}
