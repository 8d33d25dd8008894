using LookaheadKV.Budgeting;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Budgeting;

public sealed class BudgetTests
{
    // Two layers of 2 heads of 4 numbers of 4 bytes: 64 bytes an entry of a layer, 128 a token.
    [Theory]
    [InlineData("64", 1000, 128)]
    [InlineData("64", 10, 20)]
    [InlineData("5%", 1000, 100)]
    [InlineData("12.5%", 100, 25)]
    [InlineData("100%", 7, 14)]
    [InlineData("1280B", 1000, 20)]
    [InlineData("1407B", 1000, 21)]
    [InlineData("1343B", 1000, 20)]
    [InlineData("2KiB", 1000, 32)]
    [InlineData("1MiB", 100000, 16384)]
    [InlineData("1GiB", 100, 200)]
    public void Entries_of_a_budget(string text, int prompt, int entries) =>
        Assert.Equal(entries, Budget.Parse(text).EntriesFor(prompt, TinyDecoder.Config, sizeof(float)));

    [Fact]
    public void Half_the_bytes_an_entry_is_twice_the_entries() =>
        Assert.Equal(64, Budget.Parse("2KiB").EntriesFor(1000, TinyDecoder.Config, 2));

    [Theory]
    [InlineData("7", 8, 100, "8")]
    [InlineData("7%", 8, 100, "8%")]
    [InlineData("2%", 3, 90, "3.3334%")]
    [InlineData("1023B", 8, 100, "1KiB")]
    [InlineData("1%", 0, 99, "1.0102%")]
    [InlineData("127B", 0, 99, "128B")]
    public void A_budget_that_cannot_hold_what_is_protected_names_the_smallest_that_can(string text, int held, int prompt, string least)
    {
        var message = Assert
            .Throws<InputException>(() => Budget.Parse(text).EntriesFor(prompt, TinyDecoder.Config, sizeof(float), held))
            .Message;
        Assert.Contains($"budget {text} {(held > 0 ? $"cannot hold the {held} protected tokens" : "keeps nothing")}", message);
        Assert.EndsWith($"give at least {least}.", message);
        Assert.Equal(2 * Math.Max(1, held), Budget.Parse(least).EntriesFor(prompt, TinyDecoder.Config, sizeof(float), held));
    }

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

    [Fact]
    public void A_negative_budget_is_refused_in_every_unit()
    {
        Assert.Contains("budget of -1 bytes", Assert.Throws<InputException>(() => Budget.Bytes(-1)).Message);
        Assert.Contains("budget -1 ", Assert.Throws<InputException>(() => Budget.Tokens(-1)).Message);
        Assert.Contains("budget -50%", Assert.Throws<InputException>(() => Budget.Ratio(-0.5)).Message);
        Assert.Equal(new Budget.InBytes(1), Budget.Bytes(1));
    }
}
