using LookaheadKV.Budgeting;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class HeadAllocationTests
{
    [Fact]
    public void Heads_are_sure_of_the_authors_share() => Assert.Equal(0.2, new HeadAllocation.Adaptive().Floor);

    [Fact]
    public void Allocations_are_written_as_policies_write_them() =>
        Assert.Equal(
            ["uniform", "adaptive:0.25"],
            new HeadAllocation[] { HeadAllocation.Uniform, new HeadAllocation.Adaptive(0.25) }.Select(allocation => allocation.ToString())
        );

    [Fact]
    public void A_sure_share_is_a_share()
    {
        Assert.Equal((0, 1), (new HeadAllocation.Adaptive(0).Floor, new HeadAllocation.Adaptive(1).Floor));
        foreach (var share in new[] { -0.01, 1.01, double.NaN })
            Assert.Contains("outside 0..1", Assert.Throws<InputException>(() => new HeadAllocation.Adaptive(share)).Message);
    }
}
