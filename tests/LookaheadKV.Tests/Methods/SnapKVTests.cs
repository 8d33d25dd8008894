using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class SnapKVTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(Prompt - 1)]
    [InlineData(Prompt)]
    [InlineData(40)]
    public void Snapkv_sums_the_window_and_leaves_it_out(int window)
    {
        using var scope = NewDisposeScope();
        double Expected(int b, int h, int j) => j >= Prompt - window ? 0 : Last(window).Sum(i => Alone.Attention(b, h, i)[j]);
        Near(SnapKV.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, window), 3, Prompt, Expected);
        // The window's own queries are enough.
        var last = Math.Min(window, Prompt);
        var part = Alone.Part(Prompt - last, last).Queries;
        Near(SnapKV.Score(part, Alone.Tensors.Keys, window), 3, Prompt, Expected);
    }

    [Fact]
    public void Fewer_queries_than_the_window_are_taken_for_the_last_ones()
    {
        using var scope = NewDisposeScope();
        Near(
            SnapKV.Score(Alone.Part(Prompt - 2, 2).Queries, Alone.Tensors.Keys, window: 5),
            3,
            Prompt,
            (b, h, j) => j >= Prompt - 2 ? 0 : Last(2).Sum(i => Alone.Attention(b, h, i)[j])
        );
    }

    [Fact]
    public void A_window_below_one_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains(
            "snapkv window 0",
            Assert.Throws<InputException>(() => SnapKV.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, 0)).Message
        );
    }
}
