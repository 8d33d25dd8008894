using LookaheadKV.Files;

namespace LookaheadKV.Pretraining;

/// <summary>The loss curve of a run as JSON lines, one <see cref="CurvePoint"/> each.</summary>
public static class LossCurve
{
    /// <summary>Name of the file within a run's folder.</summary>
    public const string FileName = "curve.jsonl";

    /// <summary>Reads the curve of a run's folder; empty if it has none.</summary>
    /// <exception cref="InputException">A line is no point.</exception>
    public static IReadOnlyList<CurvePoint> Read(string folder) => JsonLines.Read<CurvePoint>(Path.Combine(folder, FileName));

    /// <summary>Appends a point.</summary>
    internal static void Append(string folder, CurvePoint point) => JsonLines.Append(Path.Combine(folder, FileName), point);

    /// <summary>Drops the points after a step: those of a piece that ended without a checkpoint.</summary>
    internal static void Truncate(string folder, long step) =>
        JsonLines.Keep<CurvePoint>(Path.Combine(folder, FileName), point => point.Step <= step);
}
