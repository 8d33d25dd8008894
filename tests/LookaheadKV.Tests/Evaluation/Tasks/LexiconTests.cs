using System.Text.RegularExpressions;
using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class LexiconTests
{
    private static readonly (string Name, IReadOnlyList<string> Words, int Count)[] Lists =
    [
        (nameof(Lexicon.GivenNames), Lexicon.GivenNames, 96),
        (nameof(Lexicon.FamilyNames), Lexicon.FamilyNames, 96),
        (nameof(Lexicon.Adjectives), Lexicon.Adjectives, 48),
        (nameof(Lexicon.Objects), Lexicon.Objects, 48),
        (nameof(Lexicon.Places), Lexicon.Places, 48),
        (nameof(Lexicon.Variables), Lexicon.Variables, 64),
    ];

    [Fact]
    public void TheListsHaveTheirSizesAndShareNoWord()
    {
        Assert.All(Lists, list => Assert.Equal(list.Count, list.Words.Count));
        string[] all = [.. Lists.SelectMany(list => list.Words), .. Filler.Words];
        // Capitals aside: "Halo" and "halo" would be one word to a reader.
        Assert.Empty(
            all.GroupBy(word => word.ToLowerInvariant())
                .Where(group => group.Count() > 1)
                .Select(group => group.Key)
                .Except(Filler.Words.Select(word => word.ToLowerInvariant()))
        );
        Assert.Empty(
            Filler
                .Words.Select(word => word.ToLowerInvariant())
                .Intersect(Lists.SelectMany(list => list.Words).Select(word => word.ToLowerInvariant()))
        );
        Assert.All(all, word => Assert.Matches("^[A-Z]?[a-z]*$", word));
        Assert.InRange(all.Length, 600, 720);
    }

    [Fact]
    public void FillerSaysNothingThatAFactOrQuestionSays()
    {
        string[] facts =
        [
            "s",
            "code",
            "codes",
            "is",
            "visited",
            "visit",
            "carries",
            "opens",
            "open",
            "room",
            "Let",
            "be",
            "Trace",
            "List",
            "What",
            "Which",
            "Answer",
            "Question",
            "Text",
            "places",
            "object",
        ];
        Assert.Empty(Filler.Words.Intersect(facts, StringComparer.OrdinalIgnoreCase));
        Assert.True(Filler.TemplateCount >= 25);
        var random = RandomStream.For(Split.Evaluation, "filler test");
        var drawn = Enumerable.Range(0, 5000).Select(_ => Filler.Draw(random)).ToHashSet();
        Assert.True(drawn.Count > 3000, $"{drawn.Count} different sentences of 5,000");
        var known = Filler.Words.ToHashSet();
        foreach (var sentence in drawn)
        {
            Assert.Matches("^ [A-Z][a-z]*([ ,] ?[a-z]+)*$", sentence);
            Assert.All(Regex.Matches(sentence, "[A-Za-z]+"), word => Assert.Contains(word.Value, known));
            Assert.InRange(World.Encoder.Count(sentence + "."), 3, 16);
        }
    }

    [Fact]
    public void EveryWordIsOneTokenOfTheTokenizerTrainedOnTheCorpus()
    {
        Assert.InRange(World.Tokenizer.VocabularySize, 1000, World.Vocabulary);
        foreach (var word in Lexicon.Words.Concat(Filler.Words))
            Assert.True(World.Tokenizer.Encode(" " + word).Length == 1, $"' {word}' is not one token");
        foreach (var task in TaskNames.All)
        {
            var prompt = TaskGenerators.Generate(task, 256, seed: 1, index: 0, World.Encoder).Prompt;
            foreach (var piece in PieceEncoder.Split(prompt))
                Assert.True(World.Tokenizer.Encode(piece).Length == 1, $"'{piece}' is not one token");
        }
    }

    [Fact]
    public void FactsAreShort()
    {
        string[] facts =
        [
            "Mira Tolan's code is 482.",
            "Mira Tolan visited the amber harbor.",
            "Mira Tolan carries the brass lantern.",
            "The brass lantern opens room 735.",
            "Let vor be 482.",
            "Let vor be zeb.",
        ];
        Assert.All(facts, fact => Assert.InRange(World.Tokenizer.Encode(" " + fact).Length, 1, 12));
    }
}
