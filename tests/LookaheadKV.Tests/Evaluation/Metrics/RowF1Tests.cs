using LookaheadKV.Evaluation.Metrics;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Metrics;

public class RowF1Tests
{
    private const string Three = "name\tage\nAnn\t3\nBob\t4\nCid\t5\n";

    // Rows of the prediction that are right, of all; rows of the answer that were found, of all; by hand.
    [Theory]
    [InlineData(Three, Three, 3, 3, 3, 3)]
    [InlineData("name\tage\nCid\t5\nAnn\t3\nBob\t4", Three, 3, 3, 3, 3)] // in any order
    [InlineData("who\tyears\nAnn\t3\nBob\t4\nCid\t5", Three, 3, 3, 3, 3)] // the header is not compared
    [InlineData("name\tage\nAnn\t3", Three, 1, 1, 1, 3)]
    [InlineData("name\tage\nAnn\t3\nBob\t9", Three, 1, 2, 1, 3)]
    [InlineData("name\tage\nZoe\t1", Three, 0, 1, 0, 3)]
    [InlineData("name\tage", Three, 0, 1, 0, 3)]
    [InlineData("", Three, 0, 1, 0, 3)]
    [InlineData("I cannot do that.", Three, 0, 1, 0, 3)]
    [InlineData("```tsv\nname\tage\nAnn\t3\nBob\t4\nCid\t5\n```", Three, 3, 3, 3, 3)]
    [InlineData("Here it is:\n```tsv\nname\tage\nAnn\t3\n```\nDone.", Three, 1, 1, 1, 3)]
    [InlineData("Here it is:\n```tsv\nname\tage\nAnn\t3\nBob", Three, 1, 1, 1, 3)] // cut short: the last row is left out
    [InlineData("name\tage\nAnn\t3\nBob\nCid\t5", Three, 2, 3, 2, 3)] // a broken row in the middle is wrong
    [InlineData("name\tage\nAnn\t3\nThat is all.", Three, 1, 1, 1, 3)]
    [InlineData("name\tage\nAnn\t3\nAnn\t3", Three, 2, 2, 1, 3)] // a repeated right row is right
    [InlineData("name\tage\nthe ANN!\t 3.\nbob\t4", Three, 2, 2, 2, 3)] // normalised
    [InlineData("name\tage\nA nn\t3", Three, 0, 1, 0, 3)] // "A" is an article
    [InlineData("name\tage\nAn n\t3\nB ob\t4", Three, 1, 2, 1, 3)] // spaces do not matter
    [InlineData("name\nAnn\nBob\nCid", Three, 0, 3, 0, 3)] // one column
    [InlineData("name\tage\r\nAnn\t3\r\nBob\t4\r\n", Three, 2, 2, 2, 3)]
    [InlineData("name\tage\n\"Ann\"\t\"3\"", Three, 1, 1, 1, 3)]
    [InlineData("name\tage\nAnn\t3\n\nBob\t4", Three, 2, 3, 2, 3)] // a blank line is a broken row
    [InlineData("name\tage\nAnn\tN/A\nBob", "name\tage\nAnn\tn/a", 1, 1, 1, 1)]
    [InlineData("name\tage\nx\ty\nAnn", "name\tage\nN/A\tN/A", 0, 1, 0, 1)]
    [InlineData("name\tage\nBob\nx\ty", "name\tage\nN/A\tN/A", 1, 2, 1, 1)] // a broken row counts as N/A
    public void ScoresAreThoseCountedByHand(string prediction, string answer, int right, int predicted, int found, int wanted)
    {
        var (precision, recall) = ((double)right / predicted, (double)found / wanted);
        var f1 = right == 0 ? 0 : 2 * precision * recall / (precision + recall);
        Assert.Equal(f1, RowF1.Score(prediction, answer), 1e-12);
    }

    [Theory]
    [InlineData("a\tb\nc\td", "a|b;c|d")]
    [InlineData("a\t\n\tb", "a|;|b")]
    [InlineData("a\n\nb\n", "a;;b")]
    [InlineData("\"a\tb\"\tc", "a\tb|c")]
    [InlineData("\"a\nb\"\tc", "a\nb|c")]
    [InlineData("\"say \"\"hi\"\"\"\tc", "say \"hi\"|c")]
    [InlineData("a \"quoted\" word\tc", "a \"quoted\" word|c")]
    [InlineData("\"open\tc", "open\tc")]
    [InlineData("\"a\"b\tc", "ab|c")]
    [InlineData("a\tb\r\nc\td\r\n", "a|b;c|d")]
    public void TabSeparatedTextIsReadAsItsFields(string text, string fields) =>
        Assert.Equal(fields, string.Join(';', TabSeparated.Parse(text).Select(line => string.Join('|', line))));
}
