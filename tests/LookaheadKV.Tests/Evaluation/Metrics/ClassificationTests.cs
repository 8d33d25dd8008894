using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class ClassificationTests
{
    private static readonly string[] Classes = ["City", "City hall", "Country", "Food", "Sea food", "Other entity", "hall", "Date"];

    [Theory]
    [InlineData("City", "City", 1, 1)]
    [InlineData("The type is City.", "City", 1, 1)]
    [InlineData("Country", "City", 0, 1)]
    [InlineData("City or Country", "City", 1, 2)]
    [InlineData("City, Country, Date", "Date", 1, 3)]
    [InlineData("city", "City", 0, 1)] // upper and lower case differ
    [InlineData("", "City", 0, 1)]
    [InlineData("nothing here", "City", 0, 1)]
    [InlineData("City hall", "City hall", 1, 1)] // City and hall are parts of the answer's name
    [InlineData("City hall", "City", 1, 3)] // City, City hall and hall are named; none is a part of "City"
    [InlineData("City hall", "hall", 1, 3)]
    [InlineData("hall", "City hall", 0, 1)]
    [InlineData("Sea food", "Sea food", 1, 1)] // "food" is not "Food"
    [InlineData("Food", "Sea food", 0, 1)]
    [InlineData("Food Sea food", "Sea food", 1, 2)]
    [InlineData("Other entity", "Other entity", 1, 1)]
    [InlineData("Other  entity", "Other entity", 0, 1)]
    [InlineData("City City City", "City", 1, 1)] // named thrice is named once
    [InlineData("Food Country City Date", "Food", 1, 4)]
    [InlineData("City hall and Country", "City hall", 1, 2)]
    [InlineData("CityCountry", "Country", 1, 2)] // within a word, too
    [InlineData("Datelessness", "Date", 1, 1)]
    public void ScoresAreThoseCountedByHand(string prediction, string answer, int numerator, int denominator) =>
        Assert.Equal((double)numerator / denominator, Classification.Score(prediction, answer, Classes), 1e-12);
}
