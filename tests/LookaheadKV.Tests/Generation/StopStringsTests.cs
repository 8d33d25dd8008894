using LookaheadKV.Generation;
using Xunit;

namespace LookaheadKV.Tests.Generation;

public sealed class StopStringsTests
{
    [Theory]
    [InlineData("one two three", "two", "one ")]
    [InlineData("abcabd", "abd", "abc")]
    [InlineData("aaab", "aab", "a")]
    [InlineData("abcd", "abcd,bc", "a")] // "bc" is complete first
    [InlineData("xabc", "bc,abc,c", "x")] // they end together: the longest
    [InlineData("no stop", "stopp", "no stop")]
    [InlineData("🙂🙃", "🙃", "🙂")]
    [InlineData("", "a", "")]
    [InlineData("text", "", "text")]
    public void TheTextEndsBeforeTheFirstStopToBeComplete(string text, string stops, string wanted)
    {
        var stop = new StopStrings(stops.Split(',', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(wanted, stop.Add(text) + stop.Finish());
        Assert.Equal(wanted != text, stop.Stopped);
        if (stop.Stopped)
            Assert.Equal("", stop.Add("more") + stop.Finish());
    }

    [Fact]
    public void ItDoesNotMatterHowTheTextIsCutIntoPieces()
    {
        var random = new Random(6);
        string Word(int most) => string.Concat(Enumerable.Range(0, random.Next(1, most)).Select(_ => "ab🙂"[random.Next(2)]));
        for (var round = 0; round < 3000; round++)
        {
            var text = Word(20);
            string[] stops = [.. Enumerable.Range(0, random.Next(4)).Select(_ => Word(6))];
            var wanted = Reference(text, stops);
            var stop = new StopStrings(stops);
            var got = "";
            for (var at = 0; at < text.Length; )
            {
                var length = Math.Min(random.Next(0, 4), text.Length - at);
                got += stop.Add(text.Substring(at, length));
                at += length;
                Assert.StartsWith(got, wanted); // nothing that must be taken back
                // What is held back could still become a stop.
                var held = text[got.Length..at];
                if (!stop.Stopped)
                    Assert.True(held.Length == 0 || stops.Any(s => s.StartsWith(held)), $"{held} is held back");
            }

            Assert.Equal(wanted, got + stop.Finish());
        }
    }

    [Fact]
    public void RefusesAnEmptyStop() => Assert.Contains("empty", Assert.Throws<InputException>(() => new StopStrings("a", "")).Message);

    private static string Reference(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var complete = stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).ToArray();
            if (complete.Length > 0)
                return text[..(end - complete.Max(stop => stop.Length))];
        }

        return text;
    }
}
