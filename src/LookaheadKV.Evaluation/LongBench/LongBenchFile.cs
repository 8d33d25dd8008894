using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.LongBench;

/// <summary>One line of a LongBench file.</summary>
/// <param name="Dataset">The data set, one of <see cref="LongBenchDataset.Names"/>.</param>
/// <param name="Input">The question, the last example or the start of the code; empty where the context is all there is.</param>
/// <param name="Context">The long text.</param>
/// <param name="Answers">The right answers, any of which is right; at least one.</param>
/// <param name="Classes">The names of all classes where the task is to find one, else empty.</param>
/// <param name="Length">The length in words as the file has it, or null.</param>
/// <param name="Place">The file and line, for errors.</param>
public sealed record LongBenchRecord(
    string Dataset,
    string Input,
    string Context,
    IReadOnlyList<string> Answers,
    IReadOnlyList<string> Classes,
    int? Length,
    string Place
);

/// <summary>Reads LongBench's JSONL files (Bai et al., 2023, arXiv:2308.14508), those of LongBench-E too.</summary>
public static class LongBenchFile
{
    /// <summary>
    /// The records of a file, one line at a time: a file of any size needs the memory of its longest line. Errors come when their line is reached.
    /// </summary>
    /// <param name="path">
    /// A JSONL file whose lines have <c>input</c>, <c>context</c>, <c>answers</c>, <c>dataset</c>, and may have <c>all_classes</c> and <c>length</c>.
    /// </param>
    /// <exception cref="InputException">
    /// The file cannot be read or has no record, or a line is broken: not JSON, a field missing or of a wrong type, an unknown data set, no class
    /// names where a class is asked.
    /// </exception>
    public static IEnumerable<LongBenchRecord> Read(string path)
    {
        var any = false;
        foreach (var line in JsonFile.Lines(path))
        {
            any = true;
            yield return Record(line);
        }
        if (!any)
            throw new InputException($"{path}: has no record; expected one JSON object a line.");
    }

    private static LongBenchRecord Record(JsonField line)
    {
        var dataset = line.Member("dataset").Text();
        try
        {
            dataset = LongBenchDataset.Of(dataset).Name;
        }
        catch (InputException error)
        {
            throw new InputException($"{line.Source}: {error.Message}", error);
        }
        var record = new LongBenchRecord(
            dataset,
            line.Member("input").Text(),
            line.Member("context").Text(),
            line.Member("answers").Texts(),
            [.. line.Find("all_classes")?.Items().Select(static name => name.Text()) ?? []],
            line.Find("length")?.Count(),
            line.Source
        );
        LongBenchDataset.Of(dataset).Check(record);
        return record;
    }
}
