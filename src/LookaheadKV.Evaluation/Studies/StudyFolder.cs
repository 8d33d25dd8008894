using System.Globalization;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>
/// Where a study's results lie: <c>cells/KEY.json</c>, each written whole or not at all. A result is found by what it depends on, so that
/// killed runs, resubmitted shards and grown grids neither lose nor repeat one; two processes that run the same cell write the same.
/// </summary>
/// <param name="path">The folder.</param>
/// <param name="model">What tells the model from others.</param>
public sealed class StudyFolder(string path, string model)
{
    /// <summary>Name of the table of all cells within the folder.</summary>
    public const string TableFile = "table.csv";

    private static readonly JsonSerializerOptions Indented = new(Study.Json) { WriteIndented = true };

    /// <summary>The folder of a study's results on a model.</summary>
    /// <param name="path">The folder; it need not exist.</param>
    /// <param name="modelFolder">The model's Hugging Face folder.</param>
    /// <param name="dtype">The type that it computes in.</param>
    public static StudyFolder Of(string path, string modelFolder, ScalarType dtype) =>
        new(path, $"{FolderFingerprint.Name(modelFolder)} {dtype.ToString().ToLowerInvariant()}");

    /// <summary>Whether the cell's result is there.</summary>
    public bool Has(StudyCell cell) => File.Exists(FileOf(cell));

    /// <summary>The cell's result.</summary>
    /// <exception cref="InputException">It is not there, or is none.</exception>
    public CellResult Read(StudyCell cell) => Read(FileOf(cell));

    /// <summary>
    /// In what the results that are there differ from those that a study would have, such as <c>steps 2 there, 3 now</c>; null where all are
    /// its own, as in the folder of a study that has grown.
    /// </summary>
    /// <param name="cells">The study's cells.</param>
    /// <param name="dependsOn">What a result of these settings depends on beside them and the seed.</param>
    /// <exception cref="InputException">A file is no result.</exception>
    public string? DifferenceTo(IReadOnlyList<StudyCell> cells, Func<CellSettings, RunSettings> dependsOn)
    {
        var own = cells.Select(FileOf).ToHashSet();
        return Files
            .Select(file => (File: file, Result: Read(file)))
            .Select(there =>
                (there.Result.DependsOn ?? RunSettings.None).DifferenceTo(dependsOn(there.Result.Settings))
                ?? (own.Contains(there.File) ? null : Difference(there.Result, cells))
            )
            .FirstOrDefault(difference => difference is not null);
    }

    /// <summary>Deletes all results, of whatever study, and the table.</summary>
    /// <exception cref="InputException">A file is no result; then none is deleted.</exception>
    public void Clear()
    {
        foreach (var file in Files)
            Read(file);
        foreach (var file in Files)
            File.Delete(file);
        File.Delete(Path.Combine(path, TableFile));
    }

    /// <summary>Writes the cell's result, unless another process has written it in the meantime: a result that is there stays.</summary>
    public void Write(StudyCell cell, CellResult result)
    {
        if (Has(cell))
            return;
        Directory.CreateDirectory(Cells);
        AtomicFile.WriteText(FileOf(cell), JsonSerializer.Serialize(result, Indented) + "\n");
    }

    /// <summary>Writes the table of all cells, and removes what killed runs left beside files that are there.</summary>
    /// <param name="csv">The table.</param>
    /// <returns>Its file.</returns>
    public string WriteTable(string csv)
    {
        var file = Path.Combine(path, TableFile);
        AtomicFile.WriteText(file, csv);
        AtomicFile.Sweep(path);
        AtomicFile.Sweep(Cells);
        return file;
    }

    /// <summary>The cell's file.</summary>
    public string FileOf(StudyCell cell) => Path.Combine(Cells, $"{cell.Key(model)}.json");

    private string Cells => Path.Combine(path, "cells");

    private string[] Files => Directory.Exists(Cells) ? [.. Directory.GetFiles(Cells, "*.json").Order(StringComparer.Ordinal)] : [];

    private static CellResult Read(string file) =>
        JsonFile.Read<CellResult>(file, "the result of a cell; delete the file and run the study again", Study.Json);

    // The settings that no cell of the study has.
    private static string Difference(CellResult there, IReadOnlyList<StudyCell> cells)
    {
        var now = cells.Select(cell => Values(cell.Settings, cell.Seed)).ToList();
        string[] differences =
        [
            .. Values(there.Settings, there.Seed)
                .Select(entry => (entry.Key, entry.Value, Now: now.Select(values => values[entry.Key]).Distinct().ToList()))
                .Where(entry => !entry.Now.Contains(entry.Value))
                .Select(entry => $"{entry.Key} {entry.Value} there, {string.Join(" or ", entry.Now)} now"),
        ];
        return differences.Length > 0 ? string.Join("; ", differences) : "a combination there that the study does not have now";
    }

    private static Dictionary<string, string> Values(CellSettings settings, long seed) =>
        new(Study.Texts(settings)) { ["seed"] = seed.ToString(CultureInfo.InvariantCulture) };
}
