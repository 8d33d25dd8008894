using System.Text.RegularExpressions;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// LongProc's score of an extracted table: the F1 of whole rows, in any order. Precision is the share of the prediction's rows that the answer
/// has, recall the share of the answer's rows that the prediction has. Cells are compared as <see cref="AnswerText"/> has them, without spaces.
/// </summary>
/// <remarks>
/// The first line is the header and is not compared, but gives the number of columns. A row with another number of cells counts as a row of
/// <c>N/A</c>; as the last row it is left out, being cut short or a closing remark.
/// </remarks>
public static partial class RowF1
{
    private const string Opening = "```tsv";

    /// <summary>0..1; 0 where either table has no row or the tables differ in their number of columns.</summary>
    /// <param name="prediction">The table, alone or between <c>```tsv</c> and the last <c>```</c>.</param>
    /// <param name="answer">The right table.</param>
    public static double Score(string prediction, string answer)
    {
        var (columns, predicted) = Rows(Fenced(prediction));
        var (wanted, right) = Rows(answer);
        if (columns != wanted || predicted.Count == 0 || right.Count == 0)
            return 0;
        var (precision, recall) = (Share(predicted, [.. right]), Share(right, [.. predicted]));
        return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);

        static double Share(List<string> rows, HashSet<string> among) => (double)rows.Count(among.Contains) / rows.Count;
    }

    private static (int Columns, List<string> Rows) Rows(string text)
    {
        var lines = TabSeparated.Parse(text.Trim());
        if (lines.Count < 2)
            return (0, []);
        var columns = lines[0].Length;
        if (lines[^1].Length != columns)
            lines.RemoveAt(lines.Count - 1);
        return (columns, [.. lines.Skip(1).Select(line => Key(line.Length == columns ? line : Enumerable.Repeat("N/A", columns)))]);
    }

    // Normalised cells hold no white space, so a tab keeps them apart.
    private static string Key(IEnumerable<string> cells) =>
        string.Join('\t', cells.Select(static cell => string.Concat(AnswerText.Words(cell))));

    private static string Fenced(string prediction) =>
        Fence().Match(prediction) is { Success: true } match ? match.Groups[1].Value
        : prediction.IndexOf(Opening, StringComparison.Ordinal) is >= 0 and var at ? prediction[(at + Opening.Length)..]
        : prediction;

    [GeneratedRegex("```tsv([\\s\\S]*)```")]
    private static partial Regex Fence();
}
