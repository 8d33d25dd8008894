using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class H2OTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(4)]
    public void H2o_sums_every_row(int? chunk)
    {
        using var scope = NewDisposeScope();
        Near(
            H2O.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, chunk),
            3,
            Prompt,
            (b, h, j) => Enumerable.Range(j, Prompt - j).Sum(i => Alone.Attention(b, h, i)[j])
        );
    }

    [Fact]
    public void H2O_refuses_part_of_a_prompt()
    {
        using var scope = NewDisposeScope();
        var wrong = Assert.Throws<ArgumentException>(() => H2O.Score(ones(1, 2, 3, 4), ones(1, 2, 5, 4)));
        Assert.Contains("got 3 queries for 5 keys", wrong.Message);
    }
}
