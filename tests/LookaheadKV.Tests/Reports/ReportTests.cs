using LookaheadKV.Evaluation;
using LookaheadKV.Reports;
using Xunit;

namespace LookaheadKV.Tests.Reports;

/// <summary>The page of a comparison: it says what it shows, whatever things are called.</summary>
public class ReportTests
{
    /// <summary>A figure says what it shows: nothing but exact answers is called that.</summary>
    [Fact]
    public void A_report_names_the_metric_of_what_it_shows()
    {
        Assert.Contains("exact answers", Page(One("a")), StringComparison.Ordinal);
        var f1 = Page(One("qasper") with { Metric = "answer-f1" });
        Assert.DoesNotContain("exact answers", f1, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Answer-f1, mean of the tasks", f1, StringComparison.Ordinal);
        var both = Page(One("a"), One("qasper") with { Metric = "answer-f1" });
        Assert.Contains("a (exact answers)", both, StringComparison.Ordinal);
        Assert.Contains("qasper (answer-f1)", both, StringComparison.Ordinal);
        Assert.Contains("Score, mean of the tasks", both, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_without_an_answer_have_their_overlap_and_no_score()
    {
        var page = Page(One("q") with { Score = null, OracleOverlap = 0.4 }, One("q") with { Score = null, OracleOverlap = 0.6 });
        Assert.Contains("<td></td><td></td><td>0.50</td>", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_is_text_and_never_a_tag()
    {
        var page = Page(One("<i>task</i>") with { Policy = "<b>mine</b>" });
        Assert.Contains("<td>&lt;b&gt;mine&lt;/b&gt;</td>", page, StringComparison.Ordinal);
        Assert.Contains("<th>&lt;i&gt;task&lt;/i&gt;</th>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>mine", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<i>task", page, StringComparison.Ordinal);
    }

    private static string Page(params PromptResult[] results) => Report.Page(RunInfo.Of("x", 0), ResultTable.Summarise(results), []);

    private static PromptResult One(string task) => new(task, 0, "snapkv", "snapkv", "64", "exact", 1, 1, 1, 0);
}
