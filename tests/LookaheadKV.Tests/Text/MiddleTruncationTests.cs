using LookaheadKV.Tests.Evaluation.Tasks;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public class MiddleTruncationTests
{
    [Theory]
    [InlineData(5, 5, "0 1 2 3 4")]
    [InlineData(5, 9, "0 1 2 3 4")]
    [InlineData(6, 4, "0 1 4 5")]
    [InlineData(6, 5, "0 1 2 4 5")]
    [InlineData(6, 1, "0")]
    [InlineData(3, 2, "0 2")]
    [InlineData(0, 1, "")]
    public void TheMiddleGoes(int count, int limit, string kept) =>
        Assert.Equal(kept, string.Join(' ', MiddleTruncation.Ids([.. Enumerable.Range(0, count)], limit)));

    [Fact]
    public void TextsKeepToTheLimitWithTheirTokenizer()
    {
        var text = string.Concat(Enumerable.Range(0, 200).Select(i => $" The rain fell over hill {i}, übrigens 雨;"));
        var tokens = World.Tokenizer.Encode(text).Length;
        foreach (var limit in new[] { 1, 2, 3, 17, 100, 101, 1000, tokens - 1, tokens })
        {
            var cut = MiddleTruncation.Text(text, limit, World.Tokenizer.Encode, ids => World.Tokenizer.Decode(ids));
            Assert.InRange(World.Tokenizer.Encode(cut).Length, Math.Max(0, limit - 8), limit);
            if (limit >= 17)
            {
                Assert.StartsWith(cut[..10], text);
                Assert.EndsWith(cut[^5..], text);
            }
        }
        Assert.Same(text, MiddleTruncation.Text(text, tokens, World.Tokenizer.Encode, ids => World.Tokenizer.Decode(ids)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void ALimitBelowOneIsRefused(int limit)
    {
        Assert.Contains($"{limit} tokens", Assert.Throws<InputException>(() => MiddleTruncation.Ids([1, 2], limit)).Message);
        Assert.Throws<InputException>(() => MiddleTruncation.Text("a", limit, static _ => [1], static _ => "a"));
    }
}
