using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class StringMatchTests
{
    // Answers stand between bars; found of them, all of them.
    [Theory]
    [InlineData("123", "123", 1, 1)]
    [InlineData("It is 123.", "123", 1, 1)]
    [InlineData("12", "123", 0, 1)]
    [InlineData("1234", "123", 1, 1)]
    [InlineData("", "123", 0, 1)]
    [InlineData("123 456", "123|456", 2, 2)]
    [InlineData("456 123", "123|456", 2, 2)]
    [InlineData("123", "123|456", 1, 2)]
    [InlineData("nothing", "123|456", 0, 2)]
    [InlineData("123456", "123|456", 2, 2)]
    [InlineData("12 3", "123", 0, 1)]
    [InlineData("ABC", "abc", 1, 1)]
    [InlineData("abc", "ABC", 1, 1)]
    [InlineData("Amber-Lantern", "amber-lantern|iron-bell", 1, 2)]
    [InlineData("amber lantern", "amber-lantern", 0, 1)]
    [InlineData("1, 2, 3, 4", "1|2|3|4", 4, 4)]
    [InlineData("1, 2, 4", "1|2|3|4", 3, 4)]
    [InlineData("x\ny", "y", 1, 1)]
    [InlineData("a b c d e", "a|c|e|g|i", 3, 5)]
    [InlineData("the Rhine river", "Rhine|the Rhine", 2, 2)]
    [InlineData("Rhine", "Rhine|the Rhine", 1, 2)]
    [InlineData("ÄRGER", "ärger", 1, 1)]
    public void AllAndPartAreThoseCountedByHand(string prediction, string answers, int found, int all)
    {
        Assert.Equal((double)found / all, StringMatch.All(prediction, answers.Split('|')), 1e-12);
        Assert.Equal(found > 0 ? 1 : 0, StringMatch.Part(prediction, answers.Split('|')));
    }

    [Fact]
    public void WithoutAnswersNothingIsFound()
    {
        Assert.Equal(0, StringMatch.All("x", []));
        Assert.Equal(0, StringMatch.Part("x", []));
        Assert.Equal(0, AnyAnswer.Best(AnswerF1.Score)("x", []));
    }

    [Fact]
    public void TheBestOfSeveralAnswersCounts() =>
        Assert.Equal(2.0 / 3, AnyAnswer.Best(AnswerF1.Score)("in Paris", ["London", "Paris", "Paris Texas"]), 1e-12);
}
