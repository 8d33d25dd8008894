using LookaheadKV.Eviction;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Eviction;

public sealed class ProtectionTests
{
    /// <summary>Positions of a prompt that are protected, by the definition, position by position.</summary>
    [Theory]
    [InlineData(0, 0, new int[0])]
    [InlineData(2, 0, new int[0])]
    [InlineData(0, 3, new int[0])]
    [InlineData(2, 3, new[] { 4 })]
    [InlineData(0, 0, new[] { 9, 3, 3, 0 })] // in any order, each once
    [InlineData(2, 3, new[] { 0, 1, 2, 6, 7, 8, 9 })] // those at the ends are protected already
    [InlineData(1, 1, new[] { 10, 11, 99 })] // beyond the prompt
    [InlineData(6, 6, new[] { 5 })] // the ends meet
    [InlineData(40, 0, new[] { 5 })]
    [InlineData(0, 40, new[] { 5 })]
    public void Ends_and_given_positions_are_one_set(int first, int last, int[] given)
    {
        var protection = Protection.Positions(given) with { First = first, Last = last };
        foreach (var length in new[] { 1, 5, 10 })
        {
            bool[] expected = [.. Enumerable.Range(0, length).Select(p => p < first || p >= length - last || given.Contains(p))];
            using var mask = protection.Mask(length, CPU);
            Assert.Equal(expected, mask.data<bool>().ToArray());
            Assert.Equal(expected.Count(isHeld => isHeld), protection.Count(length));
            using var scope = NewDisposeScope();
            var (held, others) = protection.Split(length, CPU);
            Assert.Equal(Where(true), held.data<long>().ToArray());
            Assert.Equal(Where(false), others.data<long>().ToArray());

            IEnumerable<long> Where(bool wanted) => Enumerable.Range(0, length).Where(p => expected[p] == wanted).Select(p => (long)p);
        }
    }

    [Fact]
    public void Ways_to_say_it()
    {
        Assert.Equal(new Protection(3, 0), Protection.FirstTokens(3));
        Assert.Equal(new Protection(0, 3), Protection.LastTokens(3));
        Assert.Equal(new Protection(0, 0), Protection.None);
        Assert.Equal(Protection.None, Protection.Positions());
        Assert.Equal(Protection.Positions(2, 5), Protection.Positions(5, 2, 5));
        Assert.NotEqual(Protection.Positions(2, 5), Protection.Positions(2, 6));
        Assert.Equal([2, 5], Protection.Positions(5, 2, 5).Given);
        Assert.Equal("first 1, last 2", new Protection(1, 2).ToString());
        Assert.Equal("first 0, last 0, 2 given", Protection.Positions(5, 2).ToString());
    }

    [Fact]
    public void Negative_positions_are_refused()
    {
        Assert.Contains("position -1 is negative", Assert.Throws<InputException>(() => Protection.Positions(3, -1)).Message);
        Assert.Equal([0], Protection.Positions(0).Given);
    }
}
