using System.Text.Json;
using System.Text.RegularExpressions;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Files;
using LookaheadKV.Text;

namespace LookaheadKV.Evaluation.LongBench;

/// <summary>How a data set of LongBench is asked and scored.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Metric">The metric's name: answer-f1, rouge-l, classification, retrieval, count or code-similarity.</param>
/// <param name="MaxNewTokens">How many tokens an answer may have.</param>
/// <param name="Template">The prompt, with <c>{context}</c> and <c>{input}</c> in the places of a record's texts.</param>
/// <param name="Chat">Whether a chat template should be used where the model has one.</param>
/// <param name="FirstLine">Whether only the first line of an answer counts, line breaks before it aside: models go on with a further example.</param>
public sealed partial record LongBenchDataset(string Name, string Metric, int MaxNewTokens, string Template, bool Chat, bool FirstLine)
{
    private const string Context = "{context}";

    // Their scores need a segmenter of Chinese, which is not here.
    private static readonly string[] Chinese = ["multifieldqa_zh", "dureader", "vcsum", "lsht", "passage_retrieval_zh"];

    private static readonly Dictionary<string, LongBenchDataset> All = Table();

    /// <summary>The names of LongBench's data sets in English and in code.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Keys];

    /// <summary>The data set of a name; those of LongBench-E may end with <c>_e</c>.</summary>
    /// <exception cref="InputException">The name is not one of <see cref="Names"/>.</exception>
    public static LongBenchDataset Of(string name) =>
        All.GetValueOrDefault(name)
        ?? (name.EndsWith("_e", StringComparison.Ordinal) ? All.GetValueOrDefault(name[..^2]) : null)
        ?? throw new InputException(
            Chinese.Contains(name)
                ? $"the LongBench data set '{name}' is in Chinese, which is not scored here: use one of {string.Join(", ", Names)}."
                : $"unknown LongBench data set '{name}': use one of {string.Join(", ", Names)}."
        );

    /// <summary>The prompt of a record.</summary>
    public string Prompt(LongBenchRecord record) => Fill(Template, record);

    /// <summary>The part of a record's prompt after its context.</summary>
    public string Question(LongBenchRecord record) =>
        Fill(Template[(Template.IndexOf(Context, StringComparison.Ordinal) + Context.Length)..], record);

    /// <summary>A record as a sample; a long prompt is for the caller to shorten (<see cref="MiddleTruncation"/>).</summary>
    public static EvaluationSample Sample(LongBenchRecord record)
    {
        var dataset = Of(record.Dataset);
        return new(dataset.Name, dataset.Prompt(record), record.Answers, dataset.Scoring(record.Classes), dataset.MaxNewTokens)
        {
            Question = dataset.Question(record),
            Chat = dataset.Chat,
            MetricName = dataset.Metric,
        };
    }

    /// <summary>The metric of a record of this data set: the best score over its answers.</summary>
    /// <param name="classes">The names of all classes, where the task is to find one.</param>
    public Metric Scoring(IReadOnlyList<string> classes)
    {
        Func<string, string, double> score = Metric switch
        {
            "answer-f1" => AnswerF1.Score,
            "rouge-l" => RougeL.Summary,
            "classification" => (prediction, answer) => Classification.Score(prediction, answer, classes),
            "retrieval" => NumberShare.Retrieval,
            "count" => NumberShare.Count,
            "code-similarity" => CodeSimilarity.Score,
            _ => throw new InvalidOperationException($"the table of data sets names the metric '{Metric}'"),
        };
        return FirstLine ? AnyAnswer.Best((prediction, answer) => score(First(prediction), answer)) : AnyAnswer.Best(score);
    }

    /// <summary>Refuses a record that this data set's metric cannot score.</summary>
    internal void Check(LongBenchRecord record)
    {
        if (Metric == "classification" && !record.Answers.All(record.Classes.Contains))
            throw new InputException(
                $"{record.Place}: all_classes must name every class that answers names, as '{Name}' asks for a class."
            );
        if (Metric == "retrieval" && record.Answers.FirstOrDefault(static answer => !NumberShare.NamesParagraph(answer)) is { } answer)
            throw new InputException($"{record.Place}: answers has {Quoting.Quote(answer)}, must name a paragraph, as \"Paragraph 12\".");
    }

    // In one go: a text may hold what looks like a slot.
    private static string Fill(string template, LongBenchRecord record) =>
        Slot().Replace(template, slot => slot.Value == Context ? record.Context : record.Input);

    private static string First(string prediction) => prediction.TrimStart('\n').Split('\n')[0];

    private static Dictionary<string, LongBenchDataset> Table()
    {
        var assembly = typeof(LongBenchDataset).Assembly;
        using var stream = assembly.GetManifestResourceStream("LookaheadKV.Evaluation.LongBench.datasets.json")!;
        var rows = JsonSerializer.Deserialize<Dictionary<string, Row>>(stream, JsonSerializerOptions.Web)!;
        return rows.ToDictionary(
            static row => row.Key,
            static row => new LongBenchDataset(
                row.Key,
                row.Value.Metric,
                row.Value.MaxNewTokens,
                row.Value.Prompt,
                row.Value.Chat,
                row.Value.FirstLine
            )
        );
    }

    [GeneratedRegex(@"\{context\}|\{input\}")]
    private static partial Regex Slot();

    private sealed record Row(string Metric, int MaxNewTokens, string Prompt, bool Chat = true, bool FirstLine = false);
}
