using System.Globalization;
using System.Text;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>A number over seeds.</summary>
/// <param name="Varied">The settings that tell its cells from others, name → value.</param>
/// <param name="Policy">The policy; "" for what is of the modules.</param>
/// <param name="Budget">The budget; "" for the full cache and the modules.</param>
/// <param name="Task">The task, or <c>mean</c>.</param>
/// <param name="Metric">What was measured.</param>
/// <param name="Seeds">How many seeds.</param>
/// <param name="Mean">Mean over the seeds.</param>
/// <param name="Low">Lower end of the 95 % interval of the mean (Student's t over seeds); the mean itself where there is one seed.</param>
/// <param name="High">Upper end.</param>
public sealed record StudyRow(
    IReadOnlyDictionary<string, string> Varied,
    string Policy,
    string Budget,
    string Task,
    string Metric,
    int Seeds,
    double Mean,
    double Low,
    double High
);

/// <summary>Cells' results as tables.</summary>
public static class StudyTable
{
    /// <summary>The columns that every table ends with.</summary>
    public const string FixedColumns = "seed,policy,budget,task,metric,value";

    /// <summary>All numbers of all cells as CSV, a line each: the varied settings, seed, policy, budget, task, metric, value.</summary>
    /// <param name="cells">Cells with their results.</param>
    public static string Csv(IReadOnlyList<(StudyCell Cell, CellResult Result)> cells)
    {
        string[] varied = [.. cells.SelectMany(c => c.Cell.Varied.Keys).Distinct()];
        var text = new StringBuilder();
        Line([.. varied, .. FixedColumns.Split(',')]);
        foreach (var (cell, result) in cells)
        foreach (var m in result.Measurements)
            Line([
                .. varied.Select(name => cell.Varied[name]),
                cell.Seed.ToString(CultureInfo.InvariantCulture),
                m.Policy,
                m.Budget,
                m.Task,
                m.Metric,
                m.Value.ToString("R", CultureInfo.InvariantCulture),
            ]);
        return text.ToString();

        void Line(string[] fields) => text.AppendJoin(',', fields.Select(Field)).Append('\n');
    }

    /// <summary>Means over seeds with their intervals, in the order of the cells and their measurements.</summary>
    /// <param name="cells">Cells with their results.</param>
    public static IReadOnlyList<StudyRow> Summarise(IReadOnlyList<(StudyCell Cell, CellResult Result)> cells) =>
        [
            .. from entry in cells
            from m in entry.Result.Measurements
            group (entry.Cell, m.Value) by (Varied: Label(entry.Cell.Varied), m.Policy, m.Budget, m.Task, m.Metric) into same
            select Row(
                same.First().Cell.Varied,
                same.Key.Policy,
                same.Key.Budget,
                same.Key.Task,
                same.Key.Metric,
                [.. same.Select(s => s.Value)]
            ),
        ];

    /// <summary>Varied settings in one line: <c>rank 8, tokens 32</c>; "" where nothing varies.</summary>
    public static string Label(IReadOnlyDictionary<string, string> varied) =>
        string.Join(", ", varied.Select(entry => $"{entry.Key} {entry.Value}"));

    private static StudyRow Row(
        IReadOnlyDictionary<string, string> varied,
        string policy,
        string budget,
        string task,
        string metric,
        double[] values
    )
    {
        var mean = values.Average();
        var half = values.Length == 1 ? 0 : Quantile(values.Length - 1) * values.StandardDeviation() / Math.Sqrt(values.Length);
        return new StudyRow(varied, policy, budget, task, metric, values.Length, mean, mean - half, mean + half);
    }

    // What Student's t stays below with probability 0.975.
    private static double Quantile(int degrees) => StudentT.InvCDF(location: 0, scale: 1, degrees, 0.975);

    // RFC 4180.
    private static string Field(string text) => text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"")}\"" : text;
}
