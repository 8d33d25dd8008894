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
        new(path, $"{FolderFingerprint.Of(modelFolder)} {dtype.ToString().ToLowerInvariant()}");

    /// <summary>Whether the cell's result is there.</summary>
    public bool Has(StudyCell cell) => File.Exists(FileOf(cell));

    /// <summary>The cell's result.</summary>
    /// <exception cref="InputException">It is not there, or is none.</exception>
    public CellResult Read(StudyCell cell) =>
        JsonFile.Read<CellResult>(FileOf(cell), "the result of a cell; delete the file and run the study again", Study.Json);

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
}
