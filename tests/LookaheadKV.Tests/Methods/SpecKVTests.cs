using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class SpecKVTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(40)]
    public void Speckv_takes_the_largest_weight_of_window_and_draft(int window)
    {
        using var scope = NewDisposeScope();
        var prompt = Rows.Part(0, Prompt);
        Near(
            SpecKV.Score(prompt.Queries, prompt.Keys, Rows.Part(Prompt, Behind), window),
            4,
            Prompt,
            (b, h, j) => j >= Prompt - window ? 0 : Last(window).Concat(After).Max(i => Rows.Attention(b, h, i)[j])
        );
    }

    [Fact]
    public void A_window_below_one_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains(
            "speckv window 0",
            Assert.Throws<InputException>(() => SpecKV.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, Alone.Tensors, 0)).Message
        );
    }
}
