using System.Diagnostics;
using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>How a piece of training ended.</summary>
/// <param name="State">Where the run stands; its checkpoint is in the folder.</param>
/// <param name="Finished">Whether the plan is done; if not, another call goes on.</param>
/// <param name="Accuracies">Exact match by task at the end, on held-out sequences of the current stage's length.</param>
public sealed record PretrainingResult(PretrainingState State, bool Finished, IReadOnlyDictionary<string, double> Accuracies);

/// <summary>
/// Trains the small model in resumable pieces: stages of growing length, one learning-rate schedule over all pieces, data made ahead on
/// the other processors.
/// </summary>
public static class Pretrainer
{
    /// <summary>
    /// Trains until the plan is done or this piece's limit is reached, and leaves a checkpoint and a loss curve in the folder. If the
    /// folder has a checkpoint, goes on from it exactly.
    /// </summary>
    /// <param name="plan">What to train; it must be that of the checkpoint.</param>
    /// <param name="options">How.</param>
    /// <param name="source">The training data.</param>
    /// <param name="tasks">Data of one task each, to measure exact match on: named, made as the training data is, from other seeds.</param>
    /// <param name="progress">Receives every point of the loss curve.</param>
    /// <param name="cancellation">Stops after the current step; the checkpoint is written all the same.</param>
    /// <exception cref="InputException">Plan, options, checkpoint or data are wrong, or the training diverged.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; the next call goes on from there.</exception>
    public static PretrainingResult Run(
        PretrainingPlan plan,
        PretrainingOptions options,
        SequenceSource source,
        IReadOnlyDictionary<string, SequenceSource> tasks,
        IProgress<CurvePoint>? progress = null,
        CancellationToken cancellation = default
    )
    {
        plan.Checked();
        options.Checked();
        var (state, tensors) = Begin(plan, options);
        using var step = new TrainingStep(plan, options, tensors);
        var clock = Stopwatch.StartNew();
        var before = state.Seconds;
        var (firstStep, lastSave) = (state.Step, TimeSpan.Zero);
        var window = new SpeedWindow();
        var rate = 0.0;
        var stage = new StageData(plan, state.Stage, source, tasks, state.Step);
        try
        {
            while (!PieceIsOver())
            {
                if (StageIsOver())
                    NextStage();
                window.Start(state.Tokens);
                rate = plan.RateAt(state.Step, plan.Progress(state.Seconds, state.Tokens));
                step.Run(stage.Next(), state.Step + 1, rate);
                state = state with
                {
                    Step = state.Step + 1,
                    Tokens = state.Tokens + (long)stage.Stage.Batch * stage.Stage.Length,
                    Seconds = before + clock.Elapsed.TotalSeconds,
                };
                var measure = state.Step % plan.EvaluateEvery == 0;
                if (measure || state.Step % options.ReportEvery == 0)
                {
                    var accuracies = Report(measure);
                    if (accuracies is not null && state.Stage + 1 < plan.Stages.Count && Passed(accuracies))
                        NextStage();
                }
                if (clock.Elapsed - lastSave > TimeSpan.FromMinutes(options.CheckpointMinutes))
                    Save();
            }
            var final = stage.Measure(step.Decoder, options.Device);
            Save();
            cancellation.ThrowIfCancellationRequested();
            return new PretrainingResult(state, plan.Progress(state.Seconds, state.Tokens) >= 1, final);
        }
        finally
        {
            stage.Dispose();
        }

        bool PieceIsOver() =>
            cancellation.IsCancellationRequested
            || plan.Progress(state.Seconds, state.Tokens) >= 1
            || clock.Elapsed.TotalMinutes >= options.Minutes
            || state.Step - firstStep >= options.Steps;

        bool StageIsOver() =>
            state.Stage + 1 < plan.Stages.Count
            && plan.Progress(state.Seconds, state.Tokens) - state.StageStart >= plan.Stages[state.Stage].MaxShare;

        bool Passed(IReadOnlyDictionary<string, double> accuracies) =>
            accuracies.Count > 0
            && accuracies.All(task => plan.OptionalTasks.Contains(task.Key) || task.Value >= plan.Stages[state.Stage].Threshold);

        void NextStage()
        {
            stage.Dispose();
            state = state with { Stage = state.Stage + 1, StageStart = plan.Progress(state.Seconds, state.Tokens) };
            stage = new StageData(plan, state.Stage, source, tasks, state.Step);
        }

        IReadOnlyDictionary<string, double>? Report(bool measure)
        {
            var (loss, norm) = step.ReadWindow();
            var speed = window.Stop(state.Tokens);
            var accuracies = measure ? stage.Measure(step.Decoder, options.Device) : null;
            state = state with { Seconds = before + clock.Elapsed.TotalSeconds };
            var point = new CurvePoint(
                state.Step,
                state.Tokens,
                state.Seconds,
                state.Stage,
                stage.Stage.Length,
                loss,
                rate,
                norm,
                speed,
                accuracies
            );
            LossCurve.Append(options.Folder, point);
            progress?.Report(point);
            return accuracies;
        }

        void Save()
        {
            if (window.Running)
                Report(measure: false); // also makes sure that no diverged weights are saved
            PretrainingCheckpoint.Save(options.Folder, plan.Model, DependsOn(plan, options), state, step.State);
            lastSave = clock.Elapsed;
        }
    }

    /// <summary>Where a run goes on; null where its folder has no checkpoint.</summary>
    /// <param name="plan">What to train.</param>
    /// <param name="options">How, and in which folder.</param>
    /// <exception cref="InputException">The checkpoint is damaged, or of other settings.</exception>
    public static PretrainingState? Before(PretrainingPlan plan, PretrainingOptions options) => Checkpoint(plan, options)?.State;

    /// <summary>Speed of training a stage, data included: what a run would reach, without leaving anything on disk.</summary>
    /// <param name="plan">The plan whose stage is measured; weights are fresh.</param>
    /// <param name="options">How; the folder is not used.</param>
    /// <param name="source">The training data.</param>
    /// <param name="stage">Index of the stage.</param>
    /// <param name="steps">Steps in the measured window.</param>
    /// <param name="warmUp">Steps before it, in which kernels are chosen and memory is set aside.</param>
    /// <returns>Tokens per second, padding included.</returns>
    public static double MeasureSpeed(
        PretrainingPlan plan,
        PretrainingOptions options,
        SequenceSource source,
        int stage,
        int steps = 50,
        int warmUp = 10
    )
    {
        plan.Checked();
        options.Checked();
        if (stage < 0 || stage >= plan.Stages.Count)
            throw new InputException($"stage {stage} does not exist: the plan has stages 0..{plan.Stages.Count - 1}");
        using var step = new TrainingStep(plan, options, FreshState(plan, options));
        using var data = new StageData(plan, stage, source, new Dictionary<string, SequenceSource>(), 0);
        var window = new SpeedWindow();
        for (var i = 0; i < warmUp + steps; i++)
        {
            if (i == warmUp)
            {
                if (warmUp > 0)
                    step.ReadWindow();
                window.Start(0);
            }
            step.Run(data.Next(), i + 1, plan.RateAt(i, 0));
        }
        step.ReadWindow();
        return window.Stop((long)steps * data.Stage.Batch * data.Stage.Length);
    }

    /// <summary>Writes the model of a run's checkpoint as a Hugging Face folder.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="target">The model's folder, created if need be.</param>
    /// <param name="dtype">Dtype of the weights on disk.</param>
    /// <param name="endToken">Id of the token that ends an answer.</param>
    /// <exception cref="InputException">The folder has no readable checkpoint, or the id is out of range.</exception>
    public static void Export(string folder, string target, ScalarType dtype, int endToken)
    {
        var checkpoint = PretrainingCheckpoint.Load(folder);
        using var tensors = checkpoint.LoadTensors(folder, CPU);
        HuggingFaceExport.Write(target, checkpoint.Model, tensors.Weights, dtype, endToken);
    }

    private static (PretrainingState State, OptimizerState Tensors) Begin(PretrainingPlan plan, PretrainingOptions options)
    {
        var folder = options.Folder;
        Directory.CreateDirectory(folder);
        if (Checkpoint(plan, options) is not { } checkpoint)
        {
            LossCurve.Truncate(folder, -1);
            return (new PretrainingState(), FreshState(plan, options));
        }
        LossCurve.Truncate(folder, checkpoint.State.Step);
        return (checkpoint.State, checkpoint.LoadTensors(folder, options.Device));
    }

    private static PretrainingCheckpoint? Checkpoint(PretrainingPlan plan, PretrainingOptions options)
    {
        var folder = options.Folder;
        if (!PretrainingCheckpoint.Exists(folder))
            return null;
        var checkpoint = PretrainingCheckpoint.Load(folder);
        if (checkpoint.Settings.DifferenceTo(DependsOn(plan, options)) is { } difference)
            throw new InputException($"{folder} holds a training of other settings ({difference}); name another folder.");
        if (checkpoint.State.Stage is var stage && (stage < 0 || stage >= plan.Stages.Count))
            throw new InputException($"the checkpoint in {folder} is in stage {stage} but the plan has {plan.Stages.Count}");
        return checkpoint;
    }

    private static RunSettings DependsOn(PretrainingPlan plan, PretrainingOptions options) =>
        options.Settings.With(plan.Settings.Values.Select(entry => (entry.Key, (string?)entry.Value)));

    private static OptimizerState FreshState(PretrainingPlan plan, PretrainingOptions options)
    {
        using var scope = NewDisposeScope();
        var weights = options.StartFrom is { } folder
            ? HuggingFaceExport.ReadWeights(folder, plan.Model)
            : TrainableDecoder.InitialWeights(plan.Model, plan.Seed);
        var state = OptimizerState.Over(weights.to(options.Device));
        foreach (var tensor in (Tensor[])[state.Weights, state.FirstMoment, state.SecondMoment])
            tensor.DetachFromDisposeScope();
        return state;
    }

    /// <summary>Times training alone: starts with a step, stops when the device has been waited for.</summary>
    private sealed class SpeedWindow
    {
        private readonly Stopwatch watch = new();
        private long from;

        public bool Running => watch.IsRunning;

        public void Start(long tokens)
        {
            if (watch.IsRunning)
                return;
            from = tokens;
            watch.Restart();
        }

        public double Stop(long tokens)
        {
            watch.Stop();
            return (tokens - from) / watch.Elapsed.TotalSeconds;
        }
    }
}
