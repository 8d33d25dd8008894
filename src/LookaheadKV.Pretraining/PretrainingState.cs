namespace LookaheadKV.Pretraining;

/// <summary>Where a training run stands.</summary>
public sealed record PretrainingState
{
    /// <summary>Steps taken.</summary>
    public long Step { get; init; }

    /// <summary>Tokens passed through the model, padding included.</summary>
    public long Tokens { get; init; }

    /// <summary>Seconds consumed over all pieces, measurements included.</summary>
    public double Seconds { get; init; }

    /// <summary>Index of the current stage.</summary>
    public int Stage { get; init; }

    /// <summary>Share of the plan that was done when this stage began, 0..1.</summary>
    public double StageStart { get; init; }
}

/// <summary>One point of the loss curve.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Tokens">Tokens passed through the model.</param>
/// <param name="Seconds">Seconds consumed over all pieces.</param>
/// <param name="Stage">Index of the stage.</param>
/// <param name="Length">The stage's tokens a sequence.</param>
/// <param name="Loss">Mean loss since the point before, nats per answer token.</param>
/// <param name="LearningRate">Rate of the last step.</param>
/// <param name="GradientNorm">Mean norm of the gradient before clipping since the point before.</param>
/// <param name="TokensPerSecond">Speed since the point before, without measurements and checkpoints.</param>
/// <param name="Accuracies">Exact match by task where it was measured at this step, else null.</param>
public sealed record CurvePoint(
    long Step,
    long Tokens,
    double Seconds,
    int Stage,
    int Length,
    double Loss,
    double LearningRate,
    double GradientNorm,
    double TokensPerSecond,
    IReadOnlyDictionary<string, double>? Accuracies
);
