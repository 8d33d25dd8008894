using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class AnswerF1Tests
{
    // Twice the common words over all words, counted by hand after normalisation.
    [Theory]
    [InlineData("Paris", "Paris", 2, 2)]
    [InlineData("paris.", "Paris", 2, 2)]
    [InlineData("the Paris", "Paris", 2, 2)]
    [InlineData("in Paris", "Paris", 2, 3)]
    [InlineData("Paris France", "Paris Texas", 2, 4)]
    [InlineData("London", "Paris", 0, 2)]
    [InlineData("", "Paris", 0, 1)]
    [InlineData("the", "Paris", 0, 1)]
    [InlineData("", "", 0, 1)]
    [InlineData("a b c", "b c d", 4, 5)]
    [InlineData("big big dog", "big dog", 4, 5)]
    [InlineData("big dog", "big big big dog", 4, 6)]
    [InlineData("U.S.A.", "USA", 2, 2)]
    [InlineData("twenty-one", "twentyone", 2, 2)]
    [InlineData("twenty one", "twentyone", 0, 3)]
    [InlineData("New York City", "city of new york", 6, 7)]
    [InlineData("1,000", "1000", 2, 2)]
    [InlineData("he said \"no\"", "no", 2, 4)]
    [InlineData("the cat the cat", "cat", 2, 3)]
    [InlineData("theory", "the ory", 0, 2)]
    [InlineData("An apple a day", "apple day", 4, 4)]
    [InlineData("x y z w", "w z y x", 8, 8)]
    [InlineData("  spaced\tout\nwords ", "spaced out words", 6, 6)]
    [InlineData("Ünder", "ünder", 2, 2)]
    [InlineData("one two three four five", "five six", 2, 7)]
    [InlineData("“quoted”", "quoted", 0, 2)] // only ASCII punctuation goes
    [InlineData("x² + y²", "x² y²", 4, 4)]
    public void ScoresAreThoseCountedByHand(string prediction, string answer, int twiceCommon, int all) =>
        Assert.Equal((double)twiceCommon / all, AnswerF1.Score(prediction, answer), 1e-12);

    [Theory]
    [InlineData("The  Eiffel-Tower!", "eiffeltower")]
    [InlineData("a.n apple", "apple")]
    [InlineData("A", "")]
    [InlineData("an's", "ans")]
    [InlineData("Another theme", "another theme")]
    [InlineData("the\u00a0end", "end")]
    public void NormalisationDropsWhatDoesNotMatter(string text, string normal) => Assert.Equal(normal, AnswerText.Normalize(text));

    [Theory]
    [InlineData("Paris", "paris", 1)]
    [InlineData("The Paris!", "Paris", 1)]
    [InlineData("Paris, France", "paris france", 1)]
    [InlineData("Paris France", "France Paris", 0)]
    [InlineData("Paris", "Paris France", 0)]
    [InlineData("", "", 1)]
    [InlineData("the", "a", 1)]
    [InlineData("...", "", 1)]
    [InlineData("", "x", 0)]
    [InlineData("x", "", 0)]
    [InlineData("U.S.", "us", 1)]
    [InlineData("3.5", "35", 1)]
    [InlineData("3 5", "35", 0)]
    [InlineData("YES", "yes.", 1)]
    [InlineData("yes yes", "yes", 0)]
    [InlineData("an hour", "hour", 1)]
    [InlineData("anhour", "hour", 0)]
    [InlineData(" two\n words", "two words", 1)]
    [InlineData("co-op", "coop", 1)]
    [InlineData("co op", "coop", 0)]
    [InlineData("naïve", "naive", 0)]
    public void ExactMatchIsEqualityAfterNormalisation(string prediction, string answer, double score) =>
        Assert.Equal(score, ExactAnswer.Score(prediction, answer));

    [Fact]
    public void RandomTextsScoreAsSortedWordsMatchedOneByOne()
    {
        var random = new Random(1);
        string[] vocabulary = ["red", "blue", "the", "Green", "green!", "a", "sky", ","];
        for (var trial = 0; trial < 500; trial++)
        {
            var (p, a) = (Text(), Text());
            Assert.Equal(Merged(p, a), AnswerF1.Score(p, a), 1e-12);
        }

        string Text() => string.Join(' ', Enumerable.Range(0, random.Next(7)).Select(_ => vocabulary[random.Next(vocabulary.Length)]));

        // Walks along both sorted lists at once.
        static double Merged(string prediction, string answer)
        {
            var (p, a) = (Sorted(prediction), Sorted(answer));
            var common = 0;
            for (var (i, j) = (0, 0); i < p.Length && j < a.Length; )
                switch (string.CompareOrdinal(p[i], a[j]))
                {
                    case 0:
                        common++;
                        i++;
                        j++;
                        break;
                    case < 0:
                        i++;
                        break;
                    default:
                        j++;
                        break;
                }
            var (precision, recall) = ((double)common / p.Length, (double)common / a.Length);
            return common == 0 ? 0 : 2 * precision * recall / (precision + recall);
        }

        static string[] Sorted(string text) =>
            [
                .. text.ToLowerInvariant()
                    .Replace("!", "")
                    .Replace(",", "")
                    .Split(' ')
                    .Where(w => w is not ("" or "a" or "the"))
                    .Order(StringComparer.Ordinal),
            ];
    }
}
