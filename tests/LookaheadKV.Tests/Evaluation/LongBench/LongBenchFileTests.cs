using System.Text.Json;
using LookaheadKV.Evaluation.LongBench;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.LongBench;

public sealed class LongBenchFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void RecordsAreReadInOrder()
    {
        var path = Write(Line("hotpotqa", "q0"), "", Line("hotpotqa_e", "q1"), Line("trec", "q2", ["City"], ["City", "Food"]));
        LongBenchRecord[] records = [.. LongBenchFile.Read(path)];
        Assert.Equal(["q0", "q1", "q2"], records.Select(record => record.Input));
        Assert.Equal(["hotpotqa", "hotpotqa", "trec"], records.Select(record => record.Dataset));
        Assert.Equal(["City", "Food"], records[2].Classes);
        Assert.Empty(records[0].Classes);
        Assert.Equal(17, records[0].Length);
        Assert.Equal("the context", records[0].Context);
        Assert.Equal($"{path}: line 4", records[2].Place);
    }

    [Fact]
    public void ABrokenLineIsNamedWhenItIsReached()
    {
        string[] lines = [.. Enumerable.Range(1, 60).Select(i => i == 57 ? "{\"input\": \"q\"," : Line("qasper", $"q{i}"))];
        var path = Write(lines);
        Assert.Equal(56, LongBenchFile.Read(path).Take(56).Count());
        var message = Assert.Throws<InputException>(() => LongBenchFile.Read(path).Count()).Message;
        Assert.StartsWith($"{path}: line 57: not JSON", message);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("""{"input":"q","context":"c","answers":["a"]}""", "dataset is missing")]
    [InlineData(
        """{"input":"q","context":"c","answers":["a"],"dataset":"nope"}""",
        "unknown LongBench data set 'nope': use one of narrativeqa"
    )]
    [InlineData("""{"input":"q","context":"c","answers":["a"],"dataset":"dureader"}""", "'dureader' is in Chinese")]
    [InlineData("""{"input":"q","answers":["a"],"dataset":"qasper"}""", "context is missing")]
    [InlineData("""{"input":null,"context":"c","answers":["a"],"dataset":"qasper"}""", "input is missing")]
    [InlineData("""{"input":"q","context":"c","answers":"a","dataset":"qasper"}""", "answers is \"a\", must be an array")]
    [InlineData(
        """{"input":"q","context":"c","answers":[],"dataset":"qasper"}""",
        "answers is an empty array, must be at least one string"
    )]
    [InlineData("""{"input":"q","context":"c","answers":["a",1],"dataset":"qasper"}""", "answers[1] is 1, must be a string")]
    [InlineData("""{"input":"q","context":"c","answers":["a"],"dataset":"qasper","length":-1}""", "length is -1, must be a whole number")]
    [InlineData("""{"input":"q","context":"c","answers":["City"],"dataset":"trec"}""", "all_classes must name every class")]
    [InlineData(
        """{"input":"q","context":"c","answers":["x"],"dataset":"trec","all_classes":["City"]}""",
        "all_classes must name every class"
    )]
    [InlineData(
        """{"input":"q","context":"c","answers":["12"],"dataset":"passage_retrieval_en"}""",
        "answers has \"12\", must name a paragraph"
    )]
    [InlineData("[1]", "the value is an array, must be an object")]
    public void BrokenRecordsAreNamedWithLineAndField(string line, string message)
    {
        var path = Write(Line("qasper", "good"), line);
        var error = Assert.Throws<InputException>(() => LongBenchFile.Read(path).Count()).Message;
        Assert.StartsWith($"{path}: line 2: ", error);
        Assert.Contains(message, error);
        Assert.DoesNotContain('\n', error);
    }

    [Fact]
    public void EmptyAndMissingFilesAreRefused()
    {
        Assert.Contains("has no record", Assert.Throws<InputException>(() => LongBenchFile.Read(Write("", " ")).Count()).Message);
        Assert.Contains(
            "cannot be read",
            Assert.Throws<InputException>(() => LongBenchFile.Read(Path.Combine(_folder, "none")).Count()).Message
        );
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => LongBenchFile.Read(_folder).Count()).Message);
    }

    internal static string Line(string dataset, string input, string[]? answers = null, string[]? classes = null) =>
        JsonSerializer.Serialize(
            new
            {
                input,
                context = "the context",
                answers = answers ?? ["an answer"],
                length = 17,
                dataset,
                language = "en",
                all_classes = classes,
                _id = "x",
            }
        );

    private string Write(params string[] lines)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.jsonl");
        File.WriteAllLines(path, lines);
        return path;
    }
}
