using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class NumberShareTests
{
    [Theory]
    [InlineData("7", "7", 1, 1)]
    [InlineData("There are 7.", "7", 1, 1)]
    [InlineData("", "7", 0, 1)]
    [InlineData("seven", "7", 0, 1)]
    [InlineData("8", "7", 0, 1)]
    [InlineData("7 or 8", "7", 1, 2)]
    [InlineData("7 7 7", "7", 3, 3)]
    [InlineData("7, 7, 8", "7", 2, 3)]
    [InlineData("77", "7", 0, 1)]
    [InlineData("07", "7", 0, 1)]
    [InlineData("7.0", "7", 1, 2)]
    [InlineData("-7", "7", 1, 1)]
    [InlineData("17 paragraphs, 7 of them", "7", 1, 2)]
    [InlineData("1 2 3 4 5 6 7", "7", 1, 7)]
    [InlineData("no7no", "7", 1, 1)]
    [InlineData("7th", "7", 1, 1)]
    [InlineData("1,007", "7", 0, 2)]
    [InlineData("7\n7\n9\n9", "7", 2, 4)]
    [InlineData("0", "0", 1, 1)]
    [InlineData("12", "12", 1, 1)]
    [InlineData("1 2", "12", 0, 2)]
    public void ACountIsTheShareOfRightNumbers(string prediction, string answer, int right, int all) =>
        Assert.Equal((double)right / all, NumberShare.Count(prediction, answer), 1e-12);

    [Theory]
    [InlineData("Paragraph 7", "Paragraph 7", 1, 1)]
    [InlineData("7", "Paragraph 7", 1, 1)]
    [InlineData("paragraph 7", "Paragraph 7", 1, 1)]
    [InlineData("Paragraph 8", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph 7 and Paragraph 8", "Paragraph 7", 1, 2)]
    [InlineData("", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph 17", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph 7", "Paragraph 17", 0, 1)]
    [InlineData("Paragraph 17", "Paragraph 17", 1, 1)]
    [InlineData("7 7", "Paragraph 7", 2, 2)]
    [InlineData("7 8 9", "Paragraph 9", 1, 3)]
    [InlineData("Paragraph seven", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph 07", "Paragraph 7", 0, 1)]
    [InlineData("Paragraph 7.", "Paragraph 7", 1, 1)]
    [InlineData("Of 30 paragraphs it is 7", "Paragraph 7", 1, 2)]
    [InlineData("30", "Paragraph 30", 1, 1)]
    [InlineData("3 0", "Paragraph 30", 0, 2)]
    [InlineData("Paragraph 1\nParagraph 1", "Paragraph 1", 2, 2)]
    [InlineData("Paragraph 5", "It is Paragraph 5, not Paragraph 6", 1, 1)]
    [InlineData("Paragraph 6", "It is Paragraph 5, not Paragraph 6", 0, 1)]
    public void ARetrievalIsTheShareOfTheRightParagraph(string prediction, string answer, int right, int all) =>
        Assert.Equal((double)right / all, NumberShare.Retrieval(prediction, answer), 1e-12);

    [Fact]
    public void AnAnswerWithoutParagraphIsRefused() =>
        Assert.Contains("\"paragraph 7\"", Assert.Throws<InputException>(() => NumberShare.Retrieval("7", "paragraph 7")).Message);
}
