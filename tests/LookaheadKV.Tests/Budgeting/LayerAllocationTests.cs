using LookaheadKV.Budgeting;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class LayerAllocationTests
{
    [Fact]
    public void A_pyramid_is_as_steep_as_the_authors_make_it() => Assert.Equal(20, new LayerAllocation.Pyramid().Beta);

    [Fact]
    public void Allocations_are_written_as_policies_write_them() =>
        Assert.Equal(
            ["uniform", "pyramid:2.5", "global"],
            new LayerAllocation[] { LayerAllocation.Uniform, new LayerAllocation.Pyramid(2.5), new LayerAllocation.Global() }.Select(
                allocation => allocation.ToString()
            )
        );

    [Fact]
    public void A_pyramid_is_at_least_flat()
    {
        Assert.Equal(1, new LayerAllocation.Pyramid(1).Beta);
        Assert.Contains("β of 0.99 is below 1", Assert.Throws<InputException>(() => new LayerAllocation.Pyramid(0.99)).Message);
        Assert.Contains("below 1", Assert.Throws<InputException>(() => new LayerAllocation.Pyramid(double.NaN)).Message);
    }
}
