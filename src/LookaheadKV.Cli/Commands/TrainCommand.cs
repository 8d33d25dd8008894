using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Files;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Training;
using LookaheadKV.Training.Texts;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead train</c>: trains lookahead modules for a frozen model, in resumable pieces, and measures what they predict.</summary>
internal sealed class TrainCommand : Verb
{
    private const string EvaluationFile = "evaluation.json";
    private const string TextRecipeFile = "text-recipe.json";
    private static readonly string[] Made = [.. LookaheadFiles.All, EvaluationFile];
    private readonly ModelOptions _model = new(
        "How responses are decoded: reference, compiled, fused or graph [default: graph with --texts on a GPU in bfloat16, else compiled]."
    );
    private readonly TrainingData _data = new();
    private readonly ModuleOptions _module = new();
    private readonly Output _out = Output.Folder("--out", "Folder of checkpoint and modules.", InTheWay);
    private readonly Setting<TrainingRecipe?> _recipe = new(
        "--recipe",
        $"Defaults of the options below: {string.Join(", ", TrainingRecipe.All.Select(recipe => recipe.Name))} [default: the paper's for the model's family; small for the synthetic tasks].",
        TrainingRecipe.Named
    );
    private readonly Setting<int?> _steps = Parsed.CountIfGiven("--steps", "Steps in all [default: the recipe's].");
    private readonly Setting<int?> _batch = Parsed.CountIfGiven("--batch", "Examples a step [default: the recipe's].");
    private readonly Setting<int?> _accumulate = Parsed.CountIfGiven(
        "--accumulate",
        "Passes that a step's examples are split into, whose gradients add up: more need less memory [default: one an example; 1 for the synthetic tasks and for texts]."
    );
    private readonly Setting<double?> _rate = Parsed.Number("--learning-rate", "Peak rate [default: the recipe's].");
    private readonly Setting<int> _warmUp = Parsed.Count("--warm-up", "Steps until the peak rate.", 20, least: 0);
    private readonly Setting<IReadOnlyList<int>> _recallAt = new(
        "--recall-at",
        "Entries kept a layer and head, at which the share of the oracle's kept set is measured.",
        text =>
            Parsed.List(
                text,
                part => int.TryParse(part, out var n) && n > 0 ? n : throw new InputException($"\"{part}\" is not 1 or more.")
            ),
        "64,128,256"
    );
    private readonly Setting<int> _checkpointEvery = Parsed.Count(
        "--checkpoint-every",
        "Steps between two checkpoints at most; one is written every 10 minutes too, and at the end of a piece.",
        500
    );
    private readonly Setting<double?> _minutes = Parsed.Minutes();

    public TrainCommand()
        : base("train", "Train lookahead modules for a frozen model, in resumable pieces.")
    {
        _out.Required = true;
        AddAll([
            .. _model.All.Take(1),
            .. _data.Options,
            _out,
            _recipe,
            _steps,
            _batch,
            _accumulate,
            _rate,
            _warmUp,
            .. _module.All,
            _recallAt,
            _checkpointEvery,
            _minutes,
            .. _model.All.Skip(1),
        ]);
    }

    protected override string WhenCancelled(Call call) => GoesOn(call);

    // A training goes on from its checkpoint. Without one, all that a killed run may have left are a loss curve, responses and how texts are used.
    private static string? InTheWay(string folder)
    {
        if (File.Exists(Path.Combine(folder, ModelFiles.Config)))
            throw new InputException($"--out {folder} is a model's own folder; name another one for its modules.");
        return Directory.Exists(folder) && TrainingProgress.Of(folder) is null
            ? Output.First(
                folder,
                [
                    .. Made.Select(file => (file, (Func<string, bool>)(_ => false))),
                    (LookaheadTrainer.CurveFile, IsCurve),
                    (TextRecipeFile, IsTextRecipe),
                ]
            )
            : null;
    }

    private static bool IsTextRecipe(string path)
    {
        try
        {
            TextRecipe.Read(path);
            return true;
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static bool IsCurve(string path) => OwnFiles.IsObjectOf(path, "Step", "Steps");

    protected override Outcome Run(Call call)
    {
        var folder = _out.Path(call);
        // All that can be wrong with the data is said before gigabytes of weights are read.
        var config = DecoderConfig.Load(_model.Folder(call));
        var recipe = Recipe(call, config);
        var set = _data.Read(call, _model, config, recipe);
        var dependsOn = Settings(call, recipe);
        var before = Before(call, folder, dependsOn, recipe.Steps);
        ModelOptions.Tell(
            call,
            GenerationSettings.Of(_model.Folder(call)),
            "the model's own responses are drawn as the options of train say"
        );
        using var decoder = _model.Decoder(call);
        OutputFolder.Create(folder);
        if (set.Texts is { } texts)
            _out.WriteText(call, TextRecipeFile, texts.ToJson() + "\n");
        var execution =
            _model.Execution(call) ?? (set.Texts is not null && DecodingGraph.Works(decoder) ? Execution.Graph : Execution.Compiled);
        var (responses, measuring) = _data.Responses(call, _model, decoder, execution, recipe, set, folder);
        var settings = _module.Settings(call, decoder, set.Texts is not null);
        using var module = LookaheadModule.Create(decoder.Config, settings, call.Value(_model.Seed), decoder.Device);
        var options = new LookaheadTrainerOptions
        {
            Steps = recipe.Steps,
            LearningRate = recipe.LearningRate,
            WarmUpSteps = call.Value(_warmUp),
            MaxResponse = recipe.MaxResponse,
            Responses = responses,
            Execution = execution,
            PassSize = PassSize(call, recipe, set, responses),
            Minutes = call.Value(_minutes),
            Folder = folder,
            Settings = dependsOn,
            CheckpointEvery = call.Value(_checkpointEvery),
        };
        options = _module.Aimed(call, options, set.Texts is not null);
        var run = _model.Run(call, decoder);
        WriteIncomplete(call, run, new { @out = folder, step = before?.Step ?? 0 });
        call.Screen.Line(
            Units.Format($"lookahead modules for {run.Model} on {run.Device}: {settings.ParameterCount(decoder.Config):N0} parameters; ")
                + Units.Format($"recipe {recipe.Name}: {recipe.Steps} steps of {recipe.Batch} prompts of up to {recipe.MaxPrompt} tokens, ")
                + Units.Format($"{options.PassSize} a pass, responses of up to {recipe.MaxResponse}, rate {recipe.LearningRate}")
        );
        call.Screen.Line($"{ModuleOptions.Describe(settings, options)}; decoding {execution}");
        var (finished, last, loss, bytes) = Train(call, decoder, module, set, options, before?.Step ?? 0);
        var quality = finished ? Measure(call, decoder, module, settings, set.HeldOut, measuring, execution) : null;
        if (quality is not null)
            _out.WriteText(
                call,
                EvaluationFile,
                System.Text.Json.JsonSerializer.Serialize(
                    new
                    {
                        run,
                        before = quality.Value.Before,
                        after = quality.Value.After,
                    },
                    JsonFiles.Indented
                ) + "\n"
            );
        var progress = TrainingProgress.Of(folder)!;
        LookaheadFiles.Save(
            module,
            folder,
            new Dictionary<string, object>(ModuleOptions.Recorded(options))
            {
                ["run"] = run,
                ["steps"] = progress.Step,
                ["recipe"] = recipe,
                ["settings"] = progress.Settings.Values,
                ["schedules"] = progress.Schedules,
            }
        );
        call.Screen.Line(finished ? $"done → {folder}" : $"piece done after {progress.Step} steps; {GoesOn(call)}");
        return new Outcome(
            run,
            new
            {
                @out = folder,
                finished,
                step = progress.Step,
                seconds = last?.Seconds,
                peakDeviceBytes = bytes,
                loss,
                recipe,
                texts = set.Texts,
                lastStep = last?.Times,
                before = quality?.Before,
                after = quality?.After,
            },
            Complete: finished
        );
    }

    // The recipe stands for the options that it has values for.
    private RunSettings Settings(Call call, TrainingRecipe recipe) =>
        CallSettings
            .Of(call)
            .With([
                .. _model.Fingerprints(call),
                (_steps.Name, null),
                (_recipe.Name, null),
                (_recallAt.Name, null),
                (_batch.Name, $"{recipe.Batch}"),
                (_rate.Name, Units.Format($"{recipe.LearningRate}")),
                .. TrainingData.Lengths(recipe),
            ]);

    /// <summary>What has been done of this training; null where nothing has, or where it begins anew.</summary>
    private TrainingProgress? Before(Call call, string folder, RunSettings settings, int steps)
    {
        var before = TrainingProgress.Of(folder);
        if (call.Overwrites)
        {
            if (before is not null)
                call.Screen.Line($"{Output.Overwrite}: the training of {before.Step} steps in {folder} begins anew");
            _out.Delete(call, [.. Made, TextRecipeFile, TrainingProgress.FileName]);
            return null;
        }
        try
        {
            before?.Require(folder, settings, steps);
        }
        catch (InputException e)
        {
            throw new InputException($"{e.Message.TrimEnd('.')}, or begin anew by {Output.Overwrite}.", e);
        }
        return before;
    }

    private TrainingRecipe Recipe(Call call, DecoderConfig config)
    {
        var recipe = call.Value(_recipe) ?? _data.DefaultRecipe(call, config);
        recipe = recipe with
        {
            Steps = call.Value(_steps) ?? recipe.Steps,
            Batch = call.Value(_batch) ?? _data.Batch(call) ?? recipe.Batch,
            LearningRate = call.Value(_rate) ?? recipe.LearningRate,
        };
        return _data.Fitted(call, recipe, config, _module.Tokens(call));
    }

    // Guesses are verified together; whole responses of long prompts are better taken one by one.
    private int PassSize(Call call, TrainingRecipe recipe, TrainingSet set, IResponses? responses)
    {
        var passes = call.Value(_accumulate) ?? (responses is null || set.Texts is not null ? 1 : recipe.Batch);
        return (recipe.Batch + passes - 1) / passes;
    }

    // Of the latest step: where its seconds went.
    private static string Split(LookaheadTrainingPoint point) =>
        point.Times is { } times
            ? Units.Format(
                $"  {point.Tokens} tokens: prefill {times.Prefill:0.00} decode {times.Decode:0.00} target {times.Target:0.00} backward {times.Backward:0.00} s"
            )
            : "";

    // The allocator keeps what it once had, so that the memory in use after a step is the most that any has needed so far.
    private static (bool Finished, LookaheadTrainingPoint? Last, double? Loss, long? Bytes) Train(
        Call call,
        Decoder decoder,
        LookaheadModule module,
        TrainingSet set,
        LookaheadTrainerOptions options,
        long done
    )
    {
        LookaheadTrainingPoint? last = null;
        long? bytes = null;
        var loss = new RunningMean();
        var watch = call.Watch.Value;
        var curve = Path.Combine(options.Folder!, LookaheadTrainer.CurveFile);
        foreach (var point in JsonLines.Whole<LookaheadTrainingPoint>(curve).Where(point => point.Step <= done))
            loss.Add(point.Loss);
        var finished = call.Screen.Progress(
            "train",
            report =>
                LookaheadTrainer.Run(
                    decoder,
                    module,
                    set.Source,
                    options,
                    new Inline<LookaheadTrainingPoint>(point =>
                    {
                        last = point;
                        loss.Add(point.Loss);
                        bytes = Devices.BytesInUse(decoder.Device);
                        var memory = bytes is { } held ? "  " + Units.Bytes(held) : "";
                        report(
                            new Tick(
                                point.Step,
                                point.Steps,
                                Units.Format($"loss {loss.Value:0.0000}  {point.Seconds:0} s") + memory + Split(point)
                            )
                        );
                        watch.PromptDone();
                    }),
                    call.Cancellation
                )
        );
        return (finished, last, loss.Value, bytes);
    }

    /// <summary>What the module predicted before its training (its start follows from the seed) and predicts now; null where nothing is held out.</summary>
    private (PredictionQuality Before, PredictionQuality After)? Measure(
        Call call,
        Decoder decoder,
        LookaheadModule module,
        LookaheadSettings settings,
        IReadOnlyList<LookaheadExample> heldOut,
        IResponses responses,
        Execution execution
    )
    {
        if (heldOut.Count == 0)
        {
            call.Screen.Line("no prompt is held out: nothing is measured (--held-out)");
            return null;
        }
        using var start = LookaheadModule.Create(decoder.Config, settings, call.Value(_model.Seed), decoder.Device);
        var quality = call.Screen.Progress(
            "measure",
            report =>
                PredictionQuality.Measure(
                    decoder,
                    [start, module],
                    heldOut,
                    responses,
                    call.Value(_recallAt),
                    new Inline<int>(done => report(new Tick(done, heldOut.Count, "held-out prompts"))),
                    call.Cancellation,
                    execution
                )
        );
        QualityTable.Show(call.Screen, heldOut.Count, quality[0], quality[1]);
        return (quality[0], quality[1]);
    }

    /// <summary>The loss over the last steps: one step's alone jumps with its prompts.</summary>
    private sealed class RunningMean
    {
        private const double Decay = 0.98;
        private double _weight;
        private double _sum;

        public double? Value => _weight > 0 ? _sum / _weight : null;

        public void Add(double value) => (_sum, _weight) = (Decay * _sum + value, Decay * _weight + 1);
    }
}
