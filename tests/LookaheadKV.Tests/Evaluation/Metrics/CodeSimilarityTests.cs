using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class CodeSimilarityTests
{
    // 100 · 2c/(n+m) by hand, rounded half to even as Python does.
    [Theory]
    [InlineData("return x", "return x", 100)]
    [InlineData("return x\nreturn y", "return x", 100)]
    [InlineData("\n\nreturn x", "return x", 100)]
    [InlineData("# first\nreturn x", "return x", 100)]
    [InlineData("// first\nreturn x", "return x", 100)]
    [InlineData("```python\nreturn x\n```", "return x", 100)]
    [InlineData("return x # why", "return x", 0)] // a comment's mark anywhere rules a line out
    [InlineData("", "return x", 0)]
    [InlineData("return x", "", 0)]
    [InlineData("", "", 100)]
    [InlineData("abc", "abd", 67)] // 4/6
    [InlineData("abc", "xyz", 0)]
    [InlineData("abcd", "bd", 67)] // 4/6
    [InlineData("ab", "ba", 50)] // 2/4
    [InlineData("a", "ab", 67)] // 2/3
    [InlineData("kitten", "sitting", 62)] // ittn: 8/13 = 61.5
    [InlineData("return x", "return y", 88)] // 14/16 = 87.5 → 88, the even one
    [InlineData("aaaaaaaa", "aaaaabbb", 62)] // 10/16 = 62.5 → 62, the even one
    [InlineData("x = 1", "x=1", 75)] // 6/8
    [InlineData("  return x", "return x", 89)] // 16/18 = 88.9: indentation counts
    [InlineData("A", "a", 0)]
    [InlineData("\n   \nreturn x", "   ", 100)] // a line of spaces is a line
    [InlineData("for i in a:", "for j in b:", 82)] // 18/22 = 81.8
    public void ScoresAreThoseCountedByHand(string prediction, string answer, int percent) =>
        Assert.Equal(percent / 100.0, CodeSimilarity.Score(prediction, answer), 1e-12);

    [Theory]
    [InlineData("a\nb", "a")]
    [InlineData("\n\na", "a")]
    [InlineData("#a\nb", "b")]
    [InlineData("x // y\n`c`\n\nd", "")]
    [InlineData("#", "")]
    [InlineData("a / b", "a / b")]
    public void TheFirstLineIsThatWithoutMarks(string prediction, string line) => Assert.Equal(line, CodeSimilarity.FirstLine(prediction));

    [Fact]
    public void TheRatioIsThatOfTheFewestInsertionsAndDeletions()
    {
        var random = new Random(3);
        for (var trial = 0; trial < 150; trial++)
        {
            var (a, b) = (Text(), Text());
            if (a.Length + b.Length > 0)
                Assert.Equal(1 - (double)Edits(a, b) / (a.Length + b.Length), CodeSimilarity.Ratio(a, b), 1e-12);
        }

        string Text() => new([.. Enumerable.Range(0, random.Next(6)).Select(_ => "ab"[random.Next(2)])]);

        // Breadth first over all texts that one insertion or deletion leads to.
        static int Edits(string from, string to)
        {
            var (seen, front) = (new HashSet<string> { from }, new List<string> { from });
            for (var steps = 0; ; steps++)
            {
                if (front.Contains(to))
                    return steps;
                front = [.. front.SelectMany(Next).Where(text => text.Length <= 10 && seen.Add(text))];
            }
        }

        static IEnumerable<string> Next(string text)
        {
            for (var i = 0; i < text.Length; i++)
                yield return text.Remove(i, 1);
            for (var i = 0; i <= text.Length; i++)
            {
                yield return text.Insert(i, "a");
                yield return text.Insert(i, "b");
            }
        }
    }
}
