using System.Text;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public class BpeTrainerTests
{
    [Fact]
    public void MergesLikeTheReference()
    {
        foreach (var seed in (int[])[1, 2, 3])
        {
            var random = new Random(seed);
            // Few letters and long words: repeats, overlaps ("aaa"), ties and tokens that two pairs spell.
            string[] texts = [.. Enumerable.Range(0, 40).Select(_ => RandomWords(random)), "🙂🙂 éé"];
            var trained = Train(texts, 400, ["<s>"]);
            Assert.True(trained.Merges.Count > 50);
            Assert.Equal(Reference(texts, 400, ["<s>"], SplitPatterns.Qwen2), trained.Merges);
        }
    }

    [Fact]
    public void TwiceTheSame()
    {
        var again = Train(Samples.Templates(3000), 700, [Samples.End, Samples.Ask]);
        Assert.Equal(Samples.Definition.Merges, again.Merges);
        Assert.Equal(Samples.Definition.Vocabulary.OrderBy(entry => entry.Value), again.Vocabulary.OrderBy(entry => entry.Value));
    }

    [Fact]
    public void TheOrderOfTheTextsDoesNotMatter() =>
        Assert.Equal(Samples.Definition.Merges, Train(Samples.Templates(3000).Reverse(), 700, [Samples.End, Samples.Ask]).Merges);

    [Fact]
    public void SpecialTokensComeFirstThenBytesThenMerges()
    {
        var vocabulary = Samples.Definition.Vocabulary;
        Assert.Equal(700, vocabulary.Count);
        Assert.Equal(Enumerable.Range(0, 700), vocabulary.Values.Order());
        Assert.Equal(0, vocabulary[Samples.End]);
        Assert.Equal(1, vocabulary[Samples.Ask]);
        var bytes = Enumerable.Range(0, 256).Select(value => vocabulary[ByteLevel.Spell((byte)value)]);
        Assert.Equal(Enumerable.Range(2, 256), bytes.Order());
    }

    [Fact]
    public void EveryDigitIsATokenOfItsOwn()
    {
        var tokenizer = new Tokenizer(Samples.Definition);
        Assert.Equal(["1", "2", "3", "4"], tokenizer.Encode("1234").Select(tokenizer.Token));
        Assert.DoesNotContain(Samples.Definition.Vocabulary.Keys, spelling => spelling.Length > 1 && spelling.Any(char.IsAsciiDigit));
    }

    [Fact]
    public void StopsWhenNoPairOccursTwice()
    {
        var trained = Train(["abab xyz"], 1000, []);
        Assert.Equal([("a", "b")], trained.Merges);
        Assert.Equal(257, trained.Vocabulary.Count);
    }

    [Fact]
    public void NeverSpellsASpecialToken()
    {
        // " nib" is learned from text without a mark of its own, yet its spelling "Ġnib" must stay the special token's.
        var trained = Train(Enumerable.Repeat("a nib a nib", 10), 300, ["Ġnib"]);
        Assert.DoesNotContain(trained.Merges, merge => merge.Left + merge.Right == "Ġnib");
        var tokenizer = new Tokenizer(trained);
        Assert.DoesNotContain(0, tokenizer.Encode("a nib"));
        Assert.Equal([0], tokenizer.Encode("Ġnib"));
        Assert.Equal("a nib", tokenizer.Decode(tokenizer.Encode("a nib")));
    }

    [Fact]
    public void LearnsNothingFromSpecialTokens() => Assert.Empty(Train(["<end><end><end>", "<end>"], 300, ["<end>"]).Merges);

    [Fact]
    public void RefusesSizesAndTokensThatCannotBe()
    {
        Assert.Contains("at least 258", Fails(257, "<a>", "<b>"));
        Assert.Contains("special token 1", Fails(300, "<a>", ""));
        Assert.Contains("special token 1", Fails(300, "<a>", "<a>"));
        Assert.Contains("special token 0", Fails(300, "x"));
        Assert.Contains("pattern", Assert.Throws<InputException>(() => Train([], 300, [], @"\p{L}++(")).Message);

        static string Fails(int size, params string[] special) =>
            Assert.Throws<InputException>(() => Train(["text"], size, special)).Message;
    }

    [Fact]
    public void StopsWhenCancelled() =>
        Assert.Throws<OperationCanceledException>(() =>
            BpeTrainer.Train(["ab ab"], 300, [], SplitPatterns.Qwen2, new CancellationToken(canceled: true))
        );

    private static TokenizerJson Train(IEnumerable<string> texts, int size, string[] special, string pattern = SplitPatterns.Qwen2) =>
        BpeTrainer.Train(texts, size, special, pattern, TestContext.Current.CancellationToken);

    private static string RandomWords(Random random)
    {
        var text = new StringBuilder();
        for (var words = random.Next(3, 9); words > 0; words--)
        {
            for (var letters = random.Next(1, 9); letters > 0; letters--)
                text.Append((char)('a' + random.Next(3)));
            text.Append(' ', random.Next(1, 3));
        }

        return text.ToString();
    }

    /// <summary>Counts every pair anew for every merge.</summary>
    private static List<(string, string)> Reference(string[] texts, int size, string[] special, string pattern)
    {
        var bytes = Enumerable.Range(0, 256).Select(value => ByteLevel.Spell((byte)value)).OrderBy(letter => letter[0]);
        List<string> vocabulary = [.. special, .. bytes];
        var splitter = SplitPattern.Of(pattern, "test");
        var words = texts
            .SelectMany(text => splitter.Pieces(text).Select(piece => ByteLevel.Spell(text[piece])))
            .Select(word => word.Select(letter => letter.ToString()).ToList())
            .ToList();
        var merges = new List<(string Left, string Right)>();
        while (vocabulary.Count < size)
        {
            var best = words
                .SelectMany(word => word.Zip(word.Skip(1)))
                .GroupBy(pair => pair)
                .Select(pair => (Pair: pair.Key, Count: pair.Count()))
                .Where(pair => pair.Count > 1)
                .OrderByDescending(pair => pair.Count)
                .ThenBy(pair => vocabulary.IndexOf(pair.Pair.First))
                .ThenBy(pair => vocabulary.IndexOf(pair.Pair.Second))
                .FirstOrDefault();
            if (best.Count == 0)
                break;
            merges.Add((best.Pair.First, best.Pair.Second));
            if (!vocabulary.Contains(best.Pair.First + best.Pair.Second))
                vocabulary.Add(best.Pair.First + best.Pair.Second);
            words = [.. words.Select(word => Merge(merges[^1], word))];
        }

        return merges;
    }

    private static List<string> Merge((string Left, string Right) pair, List<string> word)
    {
        List<string> merged = [];
        for (var i = 0; i < word.Count; i++)
        {
            var here = i + 1 < word.Count && (word[i], word[i + 1]) == pair;
            merged.Add(here ? word[i] + word[++i] : word[i]);
        }

        return merged;
    }
}
