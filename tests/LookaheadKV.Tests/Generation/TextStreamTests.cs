using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Generation;

public sealed class TextStreamTests
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    private static readonly Tokenizer Tokenizer = new(Samples.Definition);

    [Fact]
    public void GreedySamplingIsWhatTheSessionGenerates()
    {
        using var decoder = TinyDecoder.Create();
        using var one = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        using var other = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        int[] wanted = [.. one.Generate(100)];
        Assert.Equal(wanted, other.Sample(decoder.Config, SamplingOptions.Greedy, 100));
        Assert.Equal(one.Cache.LogicalLength, other.Cache.LogicalLength);
        Assert.True(wanted.Length > 1);
    }

    [Fact]
    public void TheSeedDecidesAndTheLimitHolds()
    {
        using var decoder = TinyDecoder.Create();
        int[] Draw(long seed, int limit)
        {
            using var session = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
            var config = decoder.Config with { EndTokens = [] };
            return [.. session.Sample(config, new() { Temperature = 3, Seed = seed }, limit)];
        }

        Assert.Equal(Draw(1, 100), Draw(1, 100));
        Assert.NotEqual(Draw(1, 100), Draw(2, 100));
        Assert.Equal(Draw(1, 100)[..5], Draw(1, 5));
        Assert.Equal(14, Draw(1, 100).Length); // the context is 24
    }

    [Fact]
    public void AnyOfTheEndTokensEndsTheAnswer()
    {
        using var decoder = TinyDecoder.Create();
        var config = decoder.Config with { EndTokens = [] };
        int[] Draw(params int[] ends)
        {
            using var session = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
            return [.. session.Sample(config, new() { Temperature = 5, Seed = 4 }, 100, ends)];
        }

        var all = Draw();
        foreach (var end in all.Distinct())
            Assert.Equal(all[..(Array.IndexOf(all, end) + 1)], Draw(777, end));
    }

    [Fact]
    public void OptionsAreCheckedBeforeAnythingIsDrawn()
    {
        using var decoder = TinyDecoder.Create();
        using var session = Session.Start(decoder, Prompt, EvictionPolicy.Full);
        Assert.Throws<InputException>(() => session.Sample(decoder.Config, new() { Temperature = -1 }, 5));
        Assert.Throws<InputException>(() => Prompt.Text(Tokenizer, [""]));
    }

    [Fact]
    public void TheTextIsThatOfTheTokensUpToTheStop()
    {
        foreach (var text in Samples.Hard(300))
        {
            var ids = Tokenizer.Encode(text);
            Assert.Equal(Tokenizer.Decode(ids, skipSpecial: true), string.Concat(ids.Text(Tokenizer)));
        }

        var taken = 0;
        var tokens = Tokenizer.Encode("the lantern, the ledger. And more").Select(id => (taken++, id).id);
        string[] pieces = [.. tokens.Text(Tokenizer, ["er. A"])];
        Assert.Equal("the lantern, the ledg", string.Concat(pieces));
        Assert.True(pieces.Length > 2);
        Assert.True(taken < Tokenizer.Encode("the lantern, the ledger. And more").Length); // none is drawn after the stop
        Assert.DoesNotContain("", pieces);
    }

    [Fact]
    public void ACharacterThatIsCutOffIsShownAsOneAtTheEnd()
    {
        int[] ids = Tokenizer.Encode("a\U00012000")[..^1];
        var text = Tokenizer.Decode(ids);
        Assert.EndsWith("\uFFFD", text);
        Assert.Equal(text, string.Concat(ids.Text(Tokenizer)));
        Assert.Equal("a", string.Concat(ids.Text(Tokenizer, ["\uFFFD"])));
    }

    [Theory]
    [InlineData("the lantern<|end|>the ledger", "<|end|>", "the lantern")]
    [InlineData("<|end|>the ledger", "<|end|>", "")]
    [InlineData("the<|ask|> lantern<|end|>", "n<|end|>", "the lanter")]
    [InlineData("the<|ask|><|end|> lantern", "<|ask|><|end|>", "the")]
    [InlineData("the<|ask|> lantern", "|> l", "the lantern")] // control tokens count as wholes only
    [InlineData("the<|ask|> lantern", "e lantern", "the lantern")]
    [InlineData("the<|ask|> lantern", "<", "the lantern")]
    [InlineData("the <lantern", "<", "the ")]
    public void ControlTokensStopWhereAStopStringNamesThem(string text, string stop, string wanted)
    {
        var taken = 0;
        var tokens = Tokenizer.Encode(text).Select(id => (taken++, id).id);
        Assert.Equal(wanted, string.Concat(tokens.Text(Tokenizer, [stop])));
        if (text.StartsWith(stop, StringComparison.Ordinal))
            Assert.Equal(1, taken);
    }

    [Fact]
    public void TheStopThatIsCompleteFirstCutsAnyTokens()
    {
        var random = new Random(8);
        var (end, ask) = (Tokenizer.Id(Samples.End)!.Value, Tokenizer.Id(Samples.Ask)!.Value);
        string[] stops = [Samples.End, Samples.Ask + Samples.Ask, "a" + Samples.Ask, Samples.Ask + "b", "ab", "ba"];
        for (var round = 0; round < 2000; round++)
        {
            int[] ids =
            [
                .. Enumerable
                    .Range(0, random.Next(12))
                    .Select(_ =>
                        random.Next(8) switch
                        {
                            0 => end,
                            < 3 => ask,
                            < 6 => Tokenizer.Id("a")!.Value,
                            _ => Tokenizer.Id("b")!.Value,
                        }
                    ),
            ];
            string[] chosen = [.. stops.Where(_ => random.Next(3) == 0)];
            // Every token is one unit here: a letter, or a control token.
            var whole = string.Concat(ids.Select(Tokenizer.Token));
            var cut = chosen
                .Select(stop => (Start: whole.IndexOf(stop, StringComparison.Ordinal), stop.Length))
                .Where(place => place.Start >= 0)
                .OrderBy(place => place.Start + place.Length)
                .ThenBy(place => place.Start)
                .Select(place => (int?)place.Start)
                .FirstOrDefault();
            var shown = whole[..(cut ?? whole.Length)].Replace(Samples.End, "").Replace(Samples.Ask, "");
            Assert.Equal(shown, string.Concat(ids.Text(Tokenizer, chosen)));
        }
    }

    [Fact]
    public async Task TheStreamGivesTheSameAndCanBeCancelled()
    {
        var ids = Tokenizer.Encode("the lantern 🙂 the ledger");
        var pieces = new List<string>();
        await foreach (var piece in ids.TextAsync(Tokenizer))
            pieces.Add(piece);
        Assert.Equal(ids.Text(Tokenizer), pieces);

        using var source = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in ids.TextAsync(Tokenizer).WithCancellation(source.Token))
            {
                if (++seen == 2)
                    await source.CancelAsync();
            }
        });
        Assert.Equal(2, seen);
    }

    [Fact]
    public async Task ASessionStreamsFromOtherThreads()
    {
        using var decoder = TinyDecoder.Create();
        var options = new SamplingOptions { Temperature = 2, Seed = 9 };
        using var one = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        var wanted = string.Concat(one.Sample(decoder.Config, options, 14).Text(Tokenizer));
        using var other = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        var got = "";
        await foreach (var piece in other.Sample(decoder.Config, options, 14).TextAsync(Tokenizer))
            got += piece;
        Assert.Equal(wanted, got);

        using var cancelled = new CancellationTokenSource();
        using var third = Session.Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        await cancelled.CancelAsync();
        Assert.Throws<OperationCanceledException>(() => third.Sample(decoder.Config, options, 14, cancellation: cancelled.Token).ToArray());
    }

    [Fact]
    public void EndTokensAreThoseOfBothFiles()
    {
        var folder = Directory.CreateTempSubdirectory("lookahead-ends-").FullName;
        try
        {
            Assert.Empty(EndTokens.Of(folder));
            File.WriteAllText(Path.Combine(folder, "config.json"), """{ "eos_token_id": 7 }""");
            Assert.Equal([7], EndTokens.Of(folder));
            var generation = Path.Combine(folder, "generation_config.json");
            File.WriteAllText(generation, """{ "eos_token_id": [9, 7, 3] }""");
            Assert.Equal([3, 7, 9], EndTokens.Of(folder));
            File.WriteAllText(generation, """{ "eos_token_id": ["</s>"] }""");
            var message = Assert.Throws<InputException>(() => EndTokens.Of(folder)).Message;
            Assert.Contains("eos_token_id[0]", message);
            Assert.Contains(generation, message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
