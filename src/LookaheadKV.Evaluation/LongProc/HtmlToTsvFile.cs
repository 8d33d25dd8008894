using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.LongProc;

/// <summary>One web page and the table to extract from it.</summary>
/// <param name="Html">The page.</param>
/// <param name="Tsv">The right table, tab-separated, its header first.</param>
/// <param name="Header">The header that is asked for.</param>
/// <param name="Topic">What the page is about; may be empty.</param>
/// <param name="Columns">What stands in the columns; may be empty.</param>
/// <param name="Filter">Which rows are wanted; empty for all.</param>
public sealed record HtmlToTsvRecord(string Html, string Tsv, string Header, string Topic, string Columns, string Filter)
{
    /// <summary>The name of the task in result tables.</summary>
    public const string Task = "html_to_tsv";

    /// <summary>The page as a sample that is scored by <see cref="RowF1"/>.</summary>
    /// <param name="maxNewTokens">How many tokens the table may have: LongProc's groups are named for 0.5k, 2k and 8k of them.</param>
    public EvaluationSample Sample(int maxNewTokens) =>
        new(Task, Page() + Question(), [Tsv], AnyAnswer.Best(RowF1.Score), maxNewTokens)
        {
            Question = Question(),
            MetricName = MetricNames.RowF1,
        };

    private string Page() =>
        $"""
            Below is the HTML of a web page{(Topic == "" ? "" : $" about: {Topic}")}. Extract a table from it as tab-separated values.
            {(Columns == "" ? "" : $"The columns are: {Columns}.\n")}{(Filter == "" ? "" : $"{Filter}\n")}
            HTML:
            {Html}
            """;

    private string Question() =>
        $"""


            Extract the table from the page above. Rules:
            - The first line is exactly this header: {Header}
            - Every further line is one row, in the order of the page, with one tab between two cells.
            - Where the page has nothing for a cell, write N/A.
            - Put the table between ```tsv and ```, and write nothing else.
            """;
}

/// <summary>Reads the HTML→TSV task of LongProc (Ye et al., 2025, arXiv:2501.05414): its JSON files, or JSONL.</summary>
public static class HtmlToTsvFile
{
    /// <summary>The records of a file, in its order; errors come when their record is reached.</summary>
    /// <param name="path">
    /// A JSON array or JSONL of objects with <c>html</c>, or <c>html_path</c> from the file's folder or the current one; <c>tsv</c> or
    /// <c>gt</c>; and, where there are any, <c>tsv_header</c> (else the table's first line), <c>task_topic</c>, <c>task_description</c> and
    /// <c>filtering_instruction</c>.
    /// </param>
    /// <exception cref="InputException">
    /// The file or a page cannot be read, has no record, or a record is broken: a field missing or of a wrong type, a table without a row.
    /// </exception>
    public static IEnumerable<HtmlToTsvRecord> Read(string path)
    {
        var any = false;
        foreach (var place in JsonFile.ArrayOrLines(path))
        {
            any = true;
            yield return Record(path, place);
        }
        if (!any)
            throw new InputException($"{path}: has no record; expected an array of objects or one object a line.");
    }

    private static HtmlToTsvRecord Record(string path, JsonField place)
    {
        var table = place.Find("tsv") ?? place.Find("gt") ?? place.Member("tsv");
        var tsv = table.Text();
        if (RowF1.Score(tsv, tsv) < 1)
            throw table.Unsupported("a table: a header and at least one row with as many cells");
        return new(
            place.Find("html")?.Text() ?? Page(path, place.Find("html_path") ?? place.Member("html")),
            tsv,
            place.Find("tsv_header")?.Text() ?? tsv.TrimStart().Split('\n')[0].TrimEnd('\r'),
            place.Find("task_topic")?.Text() ?? "",
            place.Find("task_description")?.Text() ?? "",
            place.Find("filtering_instruction")?.Text() ?? ""
        );
    }

    private static string Page(string path, JsonField place)
    {
        var named = place.Text();
        var beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, named);
        try
        {
            return File.ReadAllText(File.Exists(beside) ? beside : named);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw place.Unsupported("a page beside this file or in the current folder", error);
        }
    }
}
