using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class RougeLTests
{
    // Twice the longest common subsequence over all words, by hand.
    [Theory]
    [InlineData("a b c d", "a b c d", 8, 8)]
    [InlineData("a b c d", "a c d", 6, 7)]
    [InlineData("a b c d", "d c b a", 2, 8)]
    [InlineData("a b c d", "e f", 0, 6)]
    [InlineData("a x b y c", "a b c", 6, 8)]
    [InlineData("police killed the gunman", "police kill the gunman", 6, 8)]
    [InlineData("the gunman kill police", "police kill the gunman", 4, 8)]
    [InlineData("the gunman police killed", "police killed the gunman", 4, 8)]
    [InlineData("", "a", 0, 1)]
    [InlineData("a", "", 0, 1)]
    [InlineData("", "", 0, 1)]
    [InlineData("a a a", "a", 2, 4)]
    [InlineData("a", "a a a", 2, 4)]
    [InlineData("a b a b", "b a b a", 6, 8)]
    [InlineData("A b", "a b", 2, 4)]
    [InlineData("a. b", "a b", 2, 4)]
    [InlineData("  a \n b ", "a b", 4, 4)]
    [InlineData("c a b", "a b c", 4, 6)]
    [InlineData("1 2 3 4 5 6", "2 4 6", 6, 9)]
    [InlineData("1 2 3 4 5 6", "6 4 2", 2, 9)]
    [InlineData("x a y b z c", "p a q b r c", 6, 12)]
    public void SentencesScoreAsCountedByHand(string prediction, string answer, int twiceCommon, int all) =>
        Assert.Equal((double)twiceCommon / all, RougeL.Sentence(prediction, answer), 1e-12);

    // Twice the union of common words over the different words of both, by hand.
    [Theory]
    [InlineData("a b c d", "a b c d", 8, 8)]
    [InlineData("a b c d", "a c d", 6, 7)]
    [InlineData("a b c d", "e f", 0, 6)]
    [InlineData("a b. c d", "a b. c d", 8, 8)]
    [InlineData("a b. c d.", "c d. a b.", 8, 8)] // sentences in another order: every pair is looked at
    [InlineData("a b c d", "c d. a b", 8, 8)] // "c d" and "a b" are both subsequences
    [InlineData("c d a b", "a b c d", 4, 8)] // one subsequence only: {a, b} or {c, d}
    [InlineData("a a a", "a", 2, 2)] // sets: repetition is free
    [InlineData("a b a b", "a b", 4, 4)]
    [InlineData("", "a", 0, 1)]
    [InlineData("a", "", 0, 1)]
    [InlineData("...", "a", 0, 1)]
    [InlineData("a. ", "a", 2, 3)] // the blank sentence is an empty word
    [InlineData("a. ", "a. ", 4, 4)]
    [InlineData("A b", "a b", 2, 4)]
    [InlineData("a, b", "a b", 2, 4)]
    [InlineData("3.5 kg", "3.5 kg", 6, 6)] // 3 | 5 kg: periods end sentences, wherever they are
    [InlineData("3.5 kg", "3 5 kg", 6, 6)]
    [InlineData("b a", "a b", 2, 4)]
    [InlineData("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", 8, 13)] // U = {w1, w2, w3, w5}
    [InlineData("x y", "x. y. z", 4, 5)]
    [InlineData("line\none", "line one", 4, 4)]
    [InlineData("a b c. d e f. g", "a c e g", 8, 11)] // U = {a, c, e, g}
    // Of "y x" and "x y", {x} and {y} are equally long; the prediction's earlier word is taken, and y is never counted.
    [InlineData("x y", "y x. x", 2, 4)]
    [InlineData("y x", "x y. x", 4, 4)]
    public void SummariesScoreAsCountedByHand(string prediction, string answer, int twiceUnion, int all) =>
        Assert.Equal((double)twiceUnion / all, RougeL.Summary(prediction, answer), 1e-12);

    [Fact]
    public void TheSubsequenceIsThatOfThePlainRecursion()
    {
        var random = new Random(2);
        for (var trial = 0; trial < 400; trial++)
        {
            var (a, b) = (Words(), Words());
            Assert.Equal(Recursive(a, b), RougeL.Subsequence(a, b));
            Assert.Equal(Longest(a, b), RougeL.Subsequence(a, b).Count);
        }

        string[] Words() => [.. Enumerable.Range(0, random.Next(8)).Select(_ => "pqrs"[random.Next(4)].ToString())];

        // From the definition, without a table.
        static List<string> Recursive(string[] a, string[] b)
        {
            if (a.Length == 0 || b.Length == 0)
                return [];
            if (a[^1] == b[^1])
                return [.. Recursive(a[..^1], b[..^1]), a[^1]];
            var (shorter, other) = (Recursive(a[..^1], b), Recursive(a, b[..^1]));
            return shorter.Count > other.Count ? shorter : other;
        }

        // Every subset of a's words.
        static int Longest(string[] a, string[] b) =>
            Enumerable
                .Range(0, 1 << a.Length)
                .Select(mask => a.Where((_, i) => (mask >> i & 1) == 1).ToArray())
                .Where(part => IsSubsequence(part, b))
                .Max(part => part.Length);

        static bool IsSubsequence(string[] part, string[] whole)
        {
            var at = 0;
            foreach (var word in whole)
                if (at < part.Length && part[at] == word)
                    at++;
            return at == part.Length;
        }
    }
}
