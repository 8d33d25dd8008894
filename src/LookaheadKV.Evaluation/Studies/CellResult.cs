using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>One number that a cell measured. Times are not among them: they are no function of settings and seed.</summary>
/// <param name="Policy">The policy; "" for what is of the modules themselves.</param>
/// <param name="Budget">The budget; "" for the full cache and the modules.</param>
/// <param name="Task">The task, or <c>mean</c>.</param>
/// <param name="Metric">accuracy, oracleOverlap, cacheBytes; kl, spearman, recall@C, loss, parameters.</param>
/// <param name="Value">The number.</param>
public sealed record Measurement(string Policy, string Budget, string Task, string Metric, double Value);

/// <summary>A cell's result as it lies in its file.</summary>
/// <param name="Settings">The cell's settings.</param>
/// <param name="Seed">Its seed.</param>
/// <param name="Measurements">What was measured, in a fixed order.</param>
/// <param name="Run">What made it: version, commit, device.</param>
/// <param name="Seconds">How long that took.</param>
/// <param name="DependsOn">What it depends on beside settings and seed; null in files of versions that kept none.</param>
public sealed record CellResult(
    CellSettings Settings,
    long Seed,
    IReadOnlyList<Measurement> Measurements,
    RunInfo Run,
    double Seconds,
    RunSettings? DependsOn = null
);
