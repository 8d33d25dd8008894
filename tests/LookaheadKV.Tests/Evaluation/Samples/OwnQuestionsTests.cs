using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Samples;

public sealed class OwnQuestionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(params string[] lines)
    {
        File.WriteAllLines(_folder["mine.jsonl"], lines);
        return _folder["mine.jsonl"];
    }

    [Fact]
    public void A_line_is_a_text_and_a_question_and_may_have_answers_and_a_metric()
    {
        var samples = OwnQuestions.Read(
            Write(
                """{"context": "The sky is green.", "question": "Which colour?"}""",
                "",
                """{"id": 7, "context": "c", "question": "q", "answers": ["blue", "dark blue"], "metric": "exact"}""",
                """{"context": "c", "question": "q", "answers": ["dark blue"]}"""
            )
        );
        Assert.Equal(["mine.jsonl", "mine.jsonl", "mine.jsonl"], samples.Select(sample => sample.Task));
        Assert.Equal(("The sky is green.\n\nWhich colour?", "Which colour?"), (samples[0].Prompt, samples[0].Question));
        Assert.Empty(samples[0].Answers);
        Assert.Equal(("exact", 1.0, 0.0), (samples[1].MetricName, samples[1].Score("Blue."), samples[1].Score("light blue")));
        Assert.Equal((OwnQuestions.DefaultMetric, 0.5), (samples[2].MetricName, samples[2].Score("light blue")));
    }

    [Theory]
    [InlineData("", "has no question")]
    [InlineData("{", "line 1: not JSON")]
    [InlineData("[]", "line 1: the value is an empty array, must be an object")]
    [InlineData("""{"question": "q"}""", "line 1: context is missing")]
    [InlineData("""{"context": "c", "question": " "}""", "line 1: question is \" \", must be a text that is not blank")]
    [InlineData("""{"context": "c", "question": 5}""", "line 1: question is 5, must be a string")]
    [InlineData("""{"context": "c", "question": "q", "answer": "a"}""", "unknown field \"answer\"; allowed: context, question, answers")]
    [InlineData("""{"context": "c", "question": "q", "answers": "a"}""", "answers is \"a\", must be an array")]
    [InlineData("""{"context": "c", "question": "q", "answers": ["a", null]}""", "answers[1] is null, must be a string")]
    [InlineData("""{"context": "c", "question": "q", "metric": "bleu"}""", "line 1: unknown metric \"bleu\"; use one of exact, answer-f1")]
    public void A_broken_line_is_named(string line, string part)
    {
        var path = Write(line);
        var message = Assert.Throws<InputException>(() => OwnQuestions.Read(path)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(part, message);
    }

    [Fact]
    public void Every_metric_that_can_be_named_gives_a_right_answer_all_and_a_wrong_one_less()
    {
        foreach (var name in MetricNames.Names)
        {
            // What each takes for an answer: a number, a table, words.
            var (right, wrong) = name is MetricNames.RowF1 ? ("a\tb\n1\t2", "a\tb\n3\t4") : ("there are 12", "no");
            var answer = name == "count" ? "12" : right;
            Assert.Equal(1.0, MetricNames.Named(name)(right, [answer]), 1e-12);
            Assert.True(MetricNames.Named(name)(wrong, [answer]) < 1, name);
        }
        Assert.Equal("exact", MetricNames.Of(["exact", "exact"]));
        Assert.Equal(MetricNames.Mixed, MetricNames.Of(["exact", "rouge-l"]));
    }
}
