using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Samples;

/// <summary>Questions of one's own about texts of one's own: a JSONL file.</summary>
public static class OwnQuestions
{
    /// <summary>Tokens that an answer may have.</summary>
    public const int AnswerTokens = 128;

    /// <summary>The metric of lines that name none.</summary>
    public const string DefaultMetric = "answer-f1";

    private static readonly string[] Fields = ["context", "question", "answers", "metric", "id"];

    /// <summary>The questions of a file; the task is called by the file's name.</summary>
    /// <param name="path">
    /// A JSONL file whose lines have <c>context</c> and <c>question</c>, and may have <c>answers</c> (a list, any of which is right), <c>metric</c> (one of
    /// <see cref="MetricNames.Names"/>) and <c>id</c>, which is not read. A line without answers is run and not scored.
    /// </param>
    /// <exception cref="InputException">
    /// The file cannot be read or has no line, or a line is broken: not JSON, a field missing, unknown or of a wrong type, an unknown metric.
    /// </exception>
    public static IReadOnlyList<EvaluationSample> Read(string path)
    {
        EvaluationSample[] samples = [.. JsonFile.Lines(path).Select(line => Sample(Path.GetFileName(path), line))];
        return samples.Length > 0
            ? samples
            : throw new InputException($"{path}: has no question; write one JSON object a line, with context and question.");
    }

    private static EvaluationSample Sample(string task, JsonField line)
    {
        var (context, question) = (Written(line.Member("context")), Written(line.Member("question")));
        // A misspelt "answers" would leave its line unscored and say nothing.
        if (line.Element.EnumerateObject().Select(field => field.Name).FirstOrDefault(name => !Fields.Contains(name)) is { } unknown)
            throw new InputException($"{line.Source}: unknown field {Quoting.Quote(unknown)}; allowed: {string.Join(", ", Fields)}.");
        var metric = line.Find("metric")?.Text() ?? DefaultMetric;
        return new(
            task,
            $"{context}\n\n{question}",
            [.. line.Find("answers")?.Items().Select(answer => answer.Text()) ?? []],
            Metric(),
            AnswerTokens
        )
        {
            Question = question,
            MetricName = metric,
        };

        Metric Metric()
        {
            try
            {
                return MetricNames.Named(metric);
            }
            catch (InputException e)
            {
                throw new InputException($"{line.Source}: {e.Message}", e);
            }
        }
    }

    private static string Written(JsonField place) =>
        string.IsNullOrWhiteSpace(place.Text()) ? throw place.Unsupported("a text that is not blank") : place.Text();
}
