using LookaheadKV.Budgeting;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class BudgetTests
{
    // 2 · 2 layers · 2 heads · 4 numbers · 4 bytes = 128 bytes a token.
    [Theory]
    [InlineData("64", 1000, 64)]
    [InlineData("64", 10, 10)]
    [InlineData("5%", 1000, 50)]
    [InlineData("12.5%", 100, 12)]
    [InlineData("100%", 7, 7)]
    [InlineData("1280B", 1000, 10)]
    [InlineData("1407B", 1000, 10)]
    [InlineData("2KiB", 1000, 16)]
    [InlineData("1MiB", 100000, 8192)]
    [InlineData("1GiB", 100, 100)]
    public void Tokens_of_a_budget(string text, int prompt, int tokens) =>
        Assert.Equal(tokens, Budget.Parse(text).TokensFor(prompt, TinyDecoder.Config, sizeof(float)));

    [Fact]
    public void Half_the_bytes_a_token_is_twice_the_tokens() =>
        Assert.Equal(32, Budget.Parse("2KiB").TokensFor(1000, TinyDecoder.Config, 2));

    [Theory]
    [InlineData("64")]
    [InlineData("5%")]
    [InlineData("0.25%")]
    [InlineData("2MiB")]
    [InlineData("300KiB")]
    [InlineData("4097B")]
    public void A_budget_is_written_as_it_is_read(string text) => Assert.Equal(text, Budget.Parse(text).ToString());

    [Theory]
    [InlineData("0", "budget 0 keeps nothing")]
    [InlineData("-3", "budget -3 keeps nothing")]
    [InlineData("0%", "0%")]
    [InlineData("101%", "101%")]
    [InlineData("0B", "0 bytes")]
    [InlineData("many", "\"many\" is not understood")]
    [InlineData("", "\"\" is not understood")]
    [InlineData("5 tokens", "\"5 tokens\" is not understood")]
    [InlineData("3TiB", "\"3TiB\" is not understood")]
    public void Others_are_refused(string text, string named) =>
        Assert.Contains(named, Assert.Throws<InputException>(() => Budget.Parse(text)).Message);

    [Theory]
    [InlineData("1%", 99)]
    [InlineData("127B", 99)]
    public void A_budget_below_one_token_is_refused(string text, int prompt) =>
        Assert.Contains(
            $"budget {text} keeps nothing of {prompt} tokens",
            Assert.Throws<InputException>(() => Budget.Parse(text).TokensFor(prompt, TinyDecoder.Config, sizeof(float))).Message
        );
}
