using LookaheadKV.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Scoring;

public sealed class GroupingTests
{
    /// <summary>Heads 0, 1, 2 share the first kv head and 3, 4, 5 the second, in each of two rows.</summary>
    private static Tensor Scores() => tensor(new float[] { 1, 5, 0, 3, -4, 7, 10, 20, 30, 4, 4, -2 }).view(2, 6, 1).repeat(1, 1, 2);

    [Fact]
    public void Successive_query_heads_share_a_kv_head()
    {
        using var scope = NewDisposeScope();
        var mean = Grouping.Reduce(Scores(), 2);
        Assert.Equal([2, 2, 2], mean.shape);
        Assert.Equal([2, 2, 2, 2, 20, 20, 2, 2], mean.data<float>().ToArray());
        var max = Grouping.Reduce(Scores(), 2, GroupReduction.Max);
        Assert.Equal([5, 5, 7, 7, 30, 30, 4, 4], max.data<float>().ToArray());
        Assert.Equal([3, 3, 1.5f, 1.5f, 1.5f, 1.5f, 15, 15, 17, 17, 1, 1], Grouping.Reduce(Scores(), 3).data<float>().ToArray());
    }

    [Fact]
    public void Scores_of_kv_heads_pass()
    {
        using var scope = NewDisposeScope();
        foreach (var reduction in Enum.GetValues<GroupReduction>())
            Assert.True(Grouping.Reduce(Scores(), 6, reduction).equal(Scores()).all().item<bool>());
    }

    [Fact]
    public void Heads_that_do_not_divide_are_refused()
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() => Grouping.Reduce(Scores(), 4));
        Assert.Contains("6 query heads cannot share 4", error.Message);
    }
}
