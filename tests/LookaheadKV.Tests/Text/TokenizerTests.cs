using LookaheadKV.Checkpoints;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public class TokenizerTests
{
    private static readonly Tokenizer Small = new(Samples.Definition);

    private static readonly Tokenizer Gpt2 = new(
        new TokenizerJson(Samples.Definition.Vocabulary, Samples.Definition.Merges, Samples.Definition.AddedTokens, SplitPatterns.Gpt2)
    );

    [Fact]
    public void EncodesLikeTheRustLibrary()
    {
        foreach (var tokenizer in (Tokenizer[])[Small, Gpt2])
        {
            using var rust = RustTokenizer.Plain(RustTokenizer.Json(tokenizer.Definition));
            rust.AssertSame(tokenizer, Samples.Hard(1500).Concat(Samples.Templates(30)));
        }
    }

    [Fact]
    public void DecodesWhatItEncoded()
    {
        foreach (var text in Samples.Hard(3000).Concat(Samples.Templates(50)))
            Assert.Equal(text, Small.Decode(Small.Encode(text)));
    }

    [Fact]
    public void TokensInARowSpellTheText()
    {
        foreach (var text in Samples.Templates(20))
            Assert.Equal(text.Replace("🙂", ""), string.Concat(Small.Encode(text.Replace("🙂", "")).Select(Small.Token)));
    }

    [Fact]
    public void TakesACharacterBeyondTheBasicPlaneAsOne()
    {
        var pattern = SplitPattern.Of(SplitPatterns.Qwen2, "test");
        Assert.Equal(["🙂lo", " 𝐀𝐛𠀀", "🙂🙂", " x", "𝟘", "𝟙"], Pieces(pattern, "🙂lo 𝐀𝐛𠀀🙂🙂 x𝟘𝟙"));
    }

    [Fact]
    public void KeepsWhatThePatternLeavesBetweenItsMatches() =>
        Assert.Equal(["ab", "12", "c", "3", "--"], Pieces(SplitPattern.Of(@"\p{N}+", "test"), "ab12c3--"));

    [Fact]
    public void FindsSpecialTokensAndSkipsThemOnRequest()
    {
        var end = Small.Id(Samples.End);
        Assert.Equal(0, end);
        var ids = Small.Encode("a<|end|>b<|end|><|end");
        Assert.Equal(2, ids.Count(id => id == end));
        Assert.Equal("ab<|end", Small.Decode(ids, skipSpecial: true));
        Assert.Equal([Samples.End, Samples.Ask], Small.SpecialTokens.Select(token => token.Content));
    }

    [Fact]
    public void TheLongerOfTwoAddedTokensWins()
    {
        var tokenizer = WithAdded(new AddedToken(700, "<a", true), new AddedToken(701, "<a>b", true), new AddedToken(702, "a>b>", true));
        Assert.Equal([701, .. tokenizer.Encode(">"), 700, .. tokenizer.Encode(">")], tokenizer.Encode("<a>b><a>"));
        Assert.Equal(703, tokenizer.VocabularySize);
    }

    [Fact]
    public void KnowsTokensByTheirText()
    {
        for (var id = 0; id < Small.VocabularySize; id++)
        {
            var text = Small.Token(id);
            if (!text.Contains('\ufffd'))
                Assert.Equal(id, Small.Id(text));
        }

        Assert.Null(Small.Id("no such token"));
        Assert.Equal(" the", Small.Token(Small.Id(" the")!.Value));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(700)]
    [InlineData(int.MaxValue)]
    public void RefusesIdsBeyondTheVocabulary(int id)
    {
        var range = "0 to 699";
        var error = Assert.Throws<InputException>(() => Small.Decode([1, id]));
        Assert.Contains(id.ToString(), error.Message);
        Assert.Contains(range, error.Message);
        Assert.Contains(range, Assert.Throws<InputException>(() => Small.Token(id)).Message);
    }

    [Fact]
    public void RefusesIdsThatAreNotUsed()
    {
        var tokenizer = WithAdded(new AddedToken(710, "<late>", true));
        Assert.Equal("<late>", tokenizer.Decode([710]));
        Assert.Contains("705", Assert.Throws<InputException>(() => tokenizer.Token(705)).Message);
    }

    [Fact]
    public void ComposesTextAndItsAddedTokensWhereNfcIsAsked()
    {
        var definition = Samples.Definition;
        AddedToken[] added = [new(700, "<é>", true, Normalized: true), new(701, "<e\u0301!>", true)];
        var tokenizer = new Tokenizer(
            new TokenizerJson(definition.Vocabulary, definition.Merges, added, definition.Pattern(), normalizeNfc: true)
        );
        Assert.Equal(tokenizer.Encode("café"), tokenizer.Encode("cafe\u0301"));
        Assert.Equal([700, 701], tokenizer.Encode("<e\u0301><e\u0301!>"));
        Assert.NotEqual(Small.Encode("café"), Small.Encode("cafe\u0301"));
    }

    [Fact]
    public void TakesAWholeWordWhereMergesAreIgnored()
    {
        var definition = Samples.Definition;
        var vocabulary = new Dictionary<string, int>(definition.Vocabulary) { ["Ġqzx"] = 700 };
        Tokenizer With(bool ignore) =>
            new(new TokenizerJson(vocabulary, definition.Merges, [], definition.Pattern(), ignoreMerges: ignore));
        Assert.Equal([.. Small.Encode("a"), 700], With(true).Encode("a qzx"));
        Assert.Equal(Small.Encode("a qzx"), With(false).Encode("a qzx"));
    }

    [Fact]
    public void HalfASurrogatePairIsTheReplacementCharacter()
    {
        Assert.Equal("a\ufffdb🙂", Small.Decode(Small.Encode("a\ud83db🙂")));
        Assert.Equal("\ufffd\ufffdl", Small.Decode(Small.Encode("\ude42\ud83dl")));
    }

    [Fact]
    public void SeveralThreadsGetWhatOneGets()
    {
        string[] texts = [.. Samples.Hard(500), .. Samples.Templates(100)];
        int[][] alone = [.. texts.Select(Small.Encode)];
        var shared = new Tokenizer(Samples.Definition);
        Assert.Equal(alone, texts.AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(shared.Encode));
    }

    [Fact]
    public void LongRunsStayCheap()
    {
        foreach (
            var text in (string[])[new string('a', 20_000), new string(' ', 20_000) + "x", string.Concat(Enumerable.Repeat("🙂", 5000))]
        )
            Assert.Equal(text, Small.Decode(Small.Encode(text)));
    }

    private static Tokenizer WithAdded(params AddedToken[] added) =>
        new(new TokenizerJson(Samples.Definition.Vocabulary, Samples.Definition.Merges, added, Samples.Definition.Pattern()));

    private static List<string> Pieces(SplitPattern pattern, string text) => [.. pattern.Pieces(text).Select(piece => text[piece])];
}
