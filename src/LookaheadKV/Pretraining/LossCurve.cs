using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Pretraining;

/// <summary>The loss curve of a run as JSON lines, one <see cref="CurvePoint"/> each.</summary>
public static class LossCurve
{
    /// <summary>Name of the file within a run's folder.</summary>
    public const string FileName = "curve.jsonl";

    /// <summary>Reads the curve of a run's folder; empty if it has none.</summary>
    /// <exception cref="InputException">A line is no point.</exception>
    public static IReadOnlyList<CurvePoint> Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return [];
        try
        {
            return [.. File.ReadLines(path).Select(line => JsonSerializer.Deserialize<CurvePoint>(line)!)];
        }
        catch (JsonException error)
        {
            throw new InputException($"{path} has a line that is no point of a loss curve; restore the file or delete it", error);
        }
    }

    /// <summary>Appends a point.</summary>
    internal static void Append(string folder, CurvePoint point) =>
        File.AppendAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(point) + "\n");

    /// <summary>Drops the points after a step: those of a piece that ended without a checkpoint.</summary>
    internal static void Truncate(string folder, long step)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return;
        // A piece that was killed may have left half a line at the end, which is after the step in any case.
        var kept = File.ReadAllLines(path).Where(line => StepOf(line) <= step);
        AtomicFile.WriteText(path, string.Concat(kept.Select(line => line + "\n")));
    }

    private static long StepOf(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<CurvePoint>(line)!.Step;
        }
        catch (JsonException)
        {
            return long.MaxValue;
        }
    }
}
