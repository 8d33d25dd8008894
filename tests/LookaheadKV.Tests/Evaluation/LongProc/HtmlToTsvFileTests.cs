using LookaheadKV.Evaluation.LongProc;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.LongProc;

public sealed class HtmlToTsvFileTests : IDisposable
{
    private const string Good = """{"html":"<p>Ann 3</p>","tsv":"name\tage\nAnn\t3\n"}""";

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ArraysAndLinesAreReadAlike()
    {
        var lines = HtmlToTsvFile.Read(Write($"{Good}\n\n{Good}\n")).ToList();
        Assert.Equal(lines, HtmlToTsvFile.Read(Write($"\n [{Good},\n{Good}]")));
        Assert.Equal(2, lines.Count);
        Assert.Equal(new HtmlToTsvRecord("<p>Ann 3</p>", "name\tage\nAnn\t3\n", "name\tage", "", "", ""), lines[0]);
    }

    [Fact]
    public void TheFormOfLongProcItselfIsReadWithItsPages()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "webpage"));
        File.WriteAllText(Path.Combine(_folder, "webpage", "W1.html"), "<h1>Ann</h1>");
        var path = Write(
            """
            [{"task_id": "W1", "html_path": "./webpage/W1.html", "task_topic": "People", "task_description": "(1) Name; (2) Age",
              "gt": "n\ta\nAnn\t3", "tsv_header": "Name\tAge", "filtering_instruction": "Only adults."}]
            """
        );
        var record = HtmlToTsvFile.Read(path).Single();
        Assert.Equal(
            new HtmlToTsvRecord("<h1>Ann</h1>", "n\ta\nAnn\t3", "Name\tAge", "People", "(1) Name; (2) Age", "Only adults."),
            record
        );
        var sample = record.Sample(maxNewTokens: 512);
        foreach (var part in new[] { "<h1>Ann</h1>", "Name\tAge", "People", "(1) Name; (2) Age", "Only adults.", "```tsv" })
            Assert.Contains(part, sample.Prompt);
        Assert.Equal(512, sample.MaxNewTokens);
        Assert.Equal(sample.Prompt[(sample.Prompt.IndexOf("</h1>", StringComparison.Ordinal) + 5)..], sample.Question);
        Assert.Equal(1, sample.Score("```tsv\nName\tAge\nann\t3\n```"));
        Assert.Equal(0, sample.Score("```tsv\nName\tAge\nann\t4\n```"));
    }

    [Theory]
    [InlineData("""[{"html":"h"}]""", "[0].tsv is missing")]
    [InlineData("""[{"tsv":"a\nb"}]""", "[0].html is missing")]
    [InlineData("""[{"html":"h","tsv":"a\tb"}]""", "[0].tsv is \"a\\tb\", must be a table")]
    [InlineData("""[{"html":"h","gt":7}]""", "[0].gt is 7, must be a string")]
    [InlineData("""[{"html_path":"none.html","gt":"a\nb"}]""", "[0].html_path is \"none.html\", must be a page beside this file")]
    [InlineData("[]", "has no record")]
    [InlineData("", "has no record")]
    [InlineData("[{]", "not JSON")]
    [InlineData("{\"html\":\"h\",\"tsv\":\"a\\nb\"}\n{\"html\":", "line 2: not JSON")]
    [InlineData("\n\n{\"html\":\"h\"}", "line 3: tsv is missing")]
    public void BrokenFilesAreNamedWithThePlace(string json, string message)
    {
        var path = Write(json);
        var error = Assert.Throws<InputException>(() => HtmlToTsvFile.Read(path).Count()).Message;
        Assert.StartsWith(path, error);
        Assert.Contains(message, error);
        Assert.DoesNotContain('\n', error);
    }

    private string Write(string text)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.json");
        File.WriteAllText(path, text);
        return path;
    }
}
