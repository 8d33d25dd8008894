using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public class AddedTokenTests
{
    [Theory]
    // flag, text, the stretches with tokens in brackets
    [InlineData("", "a <t> b", "a |[<t>]| b")]
    [InlineData("l", "a \n\u00a0<t> b", "a|[ \n\u00a0<t>]| b")]
    [InlineData("r", "a <t>\t\u3000b", "a |[<t>\t\u3000]|b")]
    [InlineData("lr", "a <t> <t> b", "a|[ <t> ]|[<t> ]|b")]
    [InlineData("l", "<t>  <t>", "[<t>]|[  <t>]")]
    [InlineData("w", "a<t> <t>_ é<t> <t>é 𐌰<t> <t>! (<t>", "a<t> <t>_ é<t> <t>é 𐌰<t> |[<t>]|! (|[<t>]")]
    [InlineData("w", "<t>", "[<t>]")]
    [InlineData("w", "\u0301<t> Ⓐ<t>\u200d <t>1 ½<t>½", "\u0301<t> Ⓐ<t>\u200d <t>1 ½|[<t>]|½")]
    public void FlagsDecideWhereATokenIsAndWhatItSwallows(string flags, string text, string wanted)
    {
        var token = new AddedToken(7, "<t>", false, false, flags.Contains('w'), flags.Contains('l'), flags.Contains('r'));
        var shown = new AddedTokenFinder([token])
            .Cut(text)
            .Select(s => s.Token is null ? text[s.Start..s.End] : $"[{text[s.Start..s.End]}]");
        Assert.Equal(wanted, string.Join('|', shown));
    }

    [Fact]
    public void StretchesCoverAnyText()
    {
        AddedToken[] tokens =
        [
            new(0, Samples.End, true),
            new(1, Samples.Ask, true, LeftStrip: true),
            new(2, "a", false, SingleWord: true),
            new(4, "日本", false, RightStrip: true),
        ];
        var finder = new AddedTokenFinder(tokens);
        foreach (var text in Samples.Hard(1000).Select(Tokenizer.WellFormed))
        {
            var end = 0;
            foreach (var stretch in finder.Cut(text))
            {
                Assert.Equal(end, stretch.Start);
                Assert.True(stretch.End > stretch.Start);
                end = stretch.End;
            }

            Assert.Equal(text.Length, end);
        }
    }

    [Fact]
    public void ANormalizedTokenIsLookedForAsItsNormalizedSelf()
    {
        var finder = new AddedTokenFinder([new AddedToken(1, "a b", false, Normalized: true)], content => content.Replace(' ', '▁'));
        Assert.Equal([new Stretch(0, 1, null)], finder.Cut("x").Select(stretch => stretch with { Token = null }));
        Assert.Single(finder.Cut("a▁b"), stretch => stretch.Token is not null);
        Assert.DoesNotContain(finder.Cut("a b"), stretch => stretch.Token is not null);
    }
}
