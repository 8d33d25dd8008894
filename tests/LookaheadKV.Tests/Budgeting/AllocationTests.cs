using LookaheadKV.Budgeting;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class AllocationTests
{
    [Fact]
    public void Defaults_are_those_of_the_authors()
    {
        Assert.Equal(20, new LayerAllocation.Pyramid().Beta);
        Assert.Equal(0.2, new HeadAllocation.Adaptive().Floor);
    }

    [Fact]
    public void Allocations_are_written_as_policies_write_them() =>
        Assert.Equal(
            ["uniform", "pyramid:2.5", "global", "uniform", "adaptive:0.25"],
            new object[]
            {
                LayerAllocation.Uniform,
                new LayerAllocation.Pyramid(2.5),
                new LayerAllocation.Global(),
                HeadAllocation.Uniform,
                new HeadAllocation.Adaptive(0.25),
            }.Select(allocation => allocation.ToString())
        );

    [Fact]
    public void A_pyramid_is_at_least_flat()
    {
        Assert.Equal(1, new LayerAllocation.Pyramid(1).Beta);
        Assert.Contains("β of 0.99 is below 1", Assert.Throws<InputException>(() => new LayerAllocation.Pyramid(0.99)).Message);
        Assert.Contains("below 1", Assert.Throws<InputException>(() => new LayerAllocation.Pyramid(double.NaN)).Message);
    }

    [Fact]
    public void A_sure_share_is_a_share()
    {
        Assert.Equal((0, 1), (new HeadAllocation.Adaptive(0).Floor, new HeadAllocation.Adaptive(1).Floor));
        foreach (var share in new[] { -0.01, 1.01, double.NaN })
            Assert.Contains("outside 0..1", Assert.Throws<InputException>(() => new HeadAllocation.Adaptive(share)).Message);
    }

    [Fact]
    public void A_negative_budget_is_refused_in_every_unit()
    {
        Assert.Contains("budget of -1 bytes", Assert.Throws<InputException>(() => Budget.Bytes(-1)).Message);
        Assert.Contains("budget -1 ", Assert.Throws<InputException>(() => Budget.Tokens(-1)).Message);
        Assert.Contains("budget -50%", Assert.Throws<InputException>(() => Budget.Ratio(-0.5)).Message);
        Assert.Equal(new Budget.InBytes(1), Budget.Bytes(1));
    }
}
