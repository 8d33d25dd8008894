using System.Text;
using LookaheadKV.Files;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Steps that cut and change text, each by itself on a text of a few characters.</summary>
public sealed class PreTokenizerTests
{
    [Theory]
    [InlineData("Isolated", false, "a|-|-|b|-")]
    [InlineData("Removed", false, "a|b")]
    [InlineData("MergedWithPrevious", false, "a-|-|b-")]
    [InlineData("MergedWithNext", false, "a|-|-b|-")]
    [InlineData("Contiguous", false, "a|--|b|-")]
    [InlineData("Isolated", true, "a|-|-|b|-")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("MergedWithPrevious", true, "a|-|-b|-")]
    [InlineData("MergedWithNext", true, "a-|-|b-")]
    [InlineData("Contiguous", true, "a|--|b|-")]
    public void A_split_does_with_its_matches_what_it_is_told(string behavior, bool invert, string pieces) =>
        Assert.Equal(pieces, Cut([new PreTokenizer.Split("-", "here", Enum.Parse<SplitBehavior>(behavior), invert)], "a--b-"));

    [Theory]
    [InlineData("""{"type": "Punctuation"}""", "a, b", "a|,| b")]
    [InlineData("""{"type": "Punctuation", "behavior": "MergedWithPrevious"}""", "a, b", "a,| b")]
    [InlineData("""{"type": "Whitespace"}""", "a, b  c", "a|,|b|c")]
    [InlineData("""{"type": "WhitespaceSplit"}""", "a, b  c", "a,|b|c")]
    [InlineData("""{"type": "BertPreTokenizer"}""", "a, b", "a|,|b")]
    [InlineData("""{"type": "CharDelimiterSplit", "delimiter": "."}""", "a.b", "a|b")]
    [InlineData("""{"type": "Digits"}""", "a12", "a|12")]
    [InlineData("""{"type": "Digits", "individual_digits": true}""", "a12", "a|1|2")]
    [InlineData("""{"type": "Split", "pattern": {"String": "."}, "behavior": "Removed", "invert": false}""", "a.b", "a|b")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "."}, "behavior": "Removed", "invert": true}""", "a.b", "a|.|b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"}""", "a b", "_a|_b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"}""", "a b", "a|_b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": false}""", "a b", "_a_b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_"}""", "a b", "_a|_b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_", "add_prefix_space": false}""", "a b", "a|_b")]
    [InlineData("""{"type": "Metaspace", "replacement": "_", "add_prefix_space": true}""", "a b", "_a|_b")]
    [InlineData("""{"type": "ByteLevel"}""", "a b", "Ġa|Ġb")]
    [InlineData("""{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}""", "a b", "aĠb")]
    public void A_step_of_a_file_cuts(string json, string text, string pieces)
    {
        var steps = PreTokenizerReader.Read(new JsonText("here", Encoding.UTF8.GetBytes(json)).Root);
        Assert.Equal(pieces, Cut(steps, text));
    }

    /// <summary>Corners of the patterns, where pieces show what matched.</summary>
    [Theory]
    [InlineData("^.", "ab\ncd", "a|b\n|c|d")]
    [InlineData("b$", "ab\nab", "a|b|\na|b")]
    [InlineData(".+", "ab\ncd", "ab|\n|cd")]
    [InlineData("(?m:.+)", "ab\ncd", "ab\ncd")]
    [InlineData(@"\Ab|c", "abc", "ab|c")]
    [InlineData(@"\Aa", "aa", "a|a")]
    [InlineData(@"b\z", "bab", "ba|b")]
    [InlineData(@"b\z", "bab\n", "bab\n")]
    [InlineData(@"b\Z", "bab\n", "ba|b|\n")]
    [InlineData(@"\bb", "b ab b", "b| ab |b")]
    [InlineData(@"\Bb", "b ab b", "b a|b| b")]
    [InlineData("a{1,2}{2}", "aaaaa", "aaaa|a")]
    [InlineData("a+?", "aaa", "a|a|a")]
    [InlineData("a++ab|b", "aab", "aa|b")]
    [InlineData("(?i:(?-i:a)b)", "aB Ab", "aB| Ab")]
    [InlineData("(?i:\U00010400)x", "a\U00010428xb", "a|\U00010428x|b")]
    [InlineData("(?i:[\U00010400-\U00010402]+)", "a\U0001042A\U0001042Bb", "a|\U0001042A|\U0001042Bb")]
    [InlineData("(?i:[k-m]+)", "aKLnb", "a|KL|nb")]
    [InlineData("[a-d&&[^b]]+", "abcd", "a|b|cd")]
    [InlineData("[a-d&&[^b]&&[^d]]+", "abcd", "a|b|c|d")]
    public void A_pattern_matches_where_it_says(string pattern, string text, string pieces) =>
        Assert.Equal(pieces, string.Join('|', SplitPattern.Of(pattern, "here").Pieces(text).Select(piece => text[piece])));

    [Fact]
    public void An_empty_match_does_not_touch_another_one()
    {
        Assert.Equal([0..2, 3..3], SplitPattern.Of("a*", "here").Matches("aab"));
        Assert.Equal([0..0, 1..1], SplitPattern.Of("", "here").Matches("a"));
    }

    [Fact]
    public void Changes_of_text()
    {
        Assert.Equal("a#b#c", new TextChange.ReplaceMatches("[0-9]+", "#", "here").Apply("a12b3c"));
        Assert.Equal("#a", new TextChange.ReplaceMatches("[0-9]+", "#", "here").Apply("12a"));
        Assert.Equal("ea", new TextChange.StripAccents().Apply("e\u0301a"));
        foreach (
            var (left, right, text) in new[]
            {
                (true, true, "a b"),
                (true, false, "a b\n"),
                (false, true, " a b"),
                (false, false, " a b\n"),
            }
        )
            Assert.Equal(text, new TextChange.Strip(left, right).Apply(" a b\n"));
        var spaced = new TokenDecoder.Spaced().Start();
        Assert.Equal("a b c", string.Concat(new[] { "a", "b", "c" }.SelectMany(spaced.Add).Concat(spaced.Finish())));
    }

    private static string Cut(IEnumerable<PreTokenizer> steps, string text)
    {
        List<Pretoken> pieces = [new(text.AsMemory(), AtStart: true)];
        foreach (var step in steps)
        {
            var cut = new List<Pretoken>();
            foreach (var piece in pieces)
                step.Cut(piece, cut);
            pieces = cut;
        }
        return string.Join('|', pieces.Select(piece => piece.Text.ToString()));
    }
}
