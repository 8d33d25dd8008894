using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public class PretokenCacheTests
{
    private static readonly Tokenizer Small = new(Samples.Definition);

    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    [InlineData(1 << 17)]
    public void GivesWhatTheTokenizerGives(int capacity)
    {
        var cache = new PretokenCache(Small, capacity);
        foreach (var text in Samples.Hard(1000).Concat(Samples.Templates(200)))
        {
            var expected = Small.Encode(text);
            Assert.Equal(expected, cache.Encode(text));
            Assert.Equal(expected, cache.Encode(text)); // now remembered
        }
    }

    [Fact]
    public void AddsToAList()
    {
        var ids = new List<int> { 7 };
        new PretokenCache(Small).Encode("the lantern<|end|>", ids);
        Assert.Equal([7, .. Small.Encode("the lantern<|end|>")], ids);
    }

    [Fact]
    public void RefusesAnEmptyCapacity() => Assert.Contains("0", Assert.Throws<InputException>(() => new PretokenCache(Small, 0)).Message);
}
