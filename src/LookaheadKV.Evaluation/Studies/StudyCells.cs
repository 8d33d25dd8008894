using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Training;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>A model that cells are run on, with what its folder holds beside it.</summary>
/// <param name="Decoder">The frozen model.</param>
/// <param name="Encoder">Its tokenizer.</param>
/// <param name="Shipped">Gives the modules of its folder, the caller's to dispose of.</param>
/// <param name="Draft">Gives its draft model, the caller's to dispose of.</param>
public sealed record StudyModel(Decoder Decoder, PieceEncoder Encoder, Func<LookaheadModule> Shipped, Func<Decoder> Draft)
{
    /// <summary>How its layers run; default compiled.</summary>
    public Execution Execution { get; init; } = Execution.Compiled;
}

/// <summary>How far a cell is.</summary>
/// <param name="Done">Steps and prompts done.</param>
/// <param name="Total">Steps and prompts in all.</param>
/// <param name="Text">What it is doing.</param>
public sealed record CellProgress(int Done, int Total, string Text);

/// <summary>Runs cells of studies.</summary>
public static class StudyCells
{
    // Of answers to the synthetic tasks, the longest of which lists all facts of a text.
    private const int LongestResponse = 256;

    /// <summary>Runs one cell: a pure function of the model, the settings and the seed.</summary>
    /// <param name="model">The model.</param>
    /// <param name="settings">What to train and to measure.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="progress">Receives every step and prompt.</param>
    /// <param name="cancellation">Looked at before every step and prompt.</param>
    public static IReadOnlyList<Measurement> Run(
        StudyModel model,
        CellSettings settings,
        long seed,
        IProgress<CellProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var (training, prompts) = (settings.Modules == ModuleSource.Trained ? settings.Steps : 0, settings.Samples * settings.Tasks.Count);
        var total = training + (settings.Modules == ModuleSource.None ? prompts : 2 * prompts);
        var losses = new List<double>();
        using var module = settings.Modules switch
        {
            ModuleSource.Trained => Train(model, settings, seed, new Inline<LookaheadTrainingPoint>(Stepped), cancellation),
            ModuleSource.Shipped => model.Shipped(),
            _ => null,
        };
        var done = training;
        IEnumerable<Measurement> prediction = module is null
            ? []
            : Prediction(model, module, settings, seed, Counted("predict"), cancellation);
        List<Measurement> measured = [.. prediction];
        if (module is not null)
            measured.Add(Module("parameters", module.Parameters.Sum(parameter => parameter.numel())));
        if (losses.Count > 0)
            measured.Add(Module("loss", losses.TakeLast((losses.Count + 9) / 10).Average()));
        measured.AddRange(Answers(model, module, settings, seed, Counted("answer"), cancellation));
        return measured;

        void Stepped(LookaheadTrainingPoint point)
        {
            losses.Add(point.Loss);
            progress?.Report(new CellProgress((int)point.Step, total, FormattableString.Invariant($"train, loss {point.Loss:0.000}")));
        }

        Action Counted(string text) => () => progress?.Report(new CellProgress(++done, total, text));
    }

    private static LookaheadModule Train(
        StudyModel model,
        CellSettings settings,
        long seed,
        IProgress<LookaheadTrainingPoint> progress,
        CancellationToken cancellation
    )
    {
        var decoder = model.Decoder;
        var module = LookaheadModule.Create(
            decoder.Config,
            new LookaheadSettings
            {
                Tokens = settings.Tokens,
                Rank = settings.Rank,
                Alpha = settings.Alpha,
                Targets = settings.Targets,
            },
            seed,
            decoder.Device
        );
        try
        {
            // Seed 0 of the training half is what models are measured on while they train.
            var source = TaskExamples.Of(model.Encoder, settings.Batch, [settings.TrainLength], seed + 1);
            var options = new LookaheadTrainerOptions
            {
                Steps = settings.Steps,
                LearningRate = settings.LearningRate,
                Objective = settings.Objective,
                Trained = settings.Trained,
                MaxResponse = LongestResponse,
                PassSize = settings.Batch,
                Responses = Responses(model, settings, seed),
                Execution = model.Execution,
            };
            LookaheadTrainer.Run(decoder, module, source, options, progress, cancellation);
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    // Null: the data's answers are verified guesses of the model's greedy ones.
    private static IResponses? Responses(StudyModel model, CellSettings settings, long seed) =>
        settings.Responses == ResponseSource.Given ? new GivenResponses(LongestResponse)
        : settings.Temperature > 0
            ? new OwnResponses(
                model.Decoder,
                new SamplingOptions { Temperature = settings.Temperature, Seed = seed },
                LongestResponse,
                execution: model.Execution
            )
        : null;

    private static IEnumerable<Measurement> Prediction(
        StudyModel model,
        LookaheadModule module,
        CellSettings settings,
        long seed,
        Action counted,
        CancellationToken cancellation
    )
    {
        var examples =
            from sample in Enumerable.Range(0, settings.Samples)
            from task in settings.Tasks
            let prompt = TaskGenerators.Generate(task, settings.Length, seed, sample, model.Encoder)
            select new LookaheadExample(prompt.PromptIds, prompt.AnswerIds);
        var own = new OwnResponses(model.Decoder, new SamplingOptions { Temperature = 0 }, LongestResponse, execution: model.Execution);
        var quality = PredictionQuality.Measure(
            model.Decoder,
            [module],
            [.. examples],
            own,
            settings.RecallAt,
            new Inline<int>(_ => counted()),
            cancellation,
            model.Execution
        )[0];
        yield return Module("kl", quality.Divergence);
        yield return Module("spearman", quality.Spearman);
        foreach (var (count, share) in quality.Recall.OrderBy(entry => entry.Key))
            if (share is { } recall)
                yield return Module($"recall@{count}", recall);
    }

    private static IEnumerable<Measurement> Answers(
        StudyModel model,
        LookaheadModule? module,
        CellSettings settings,
        long seed,
        Action counted,
        CancellationToken cancellation
    )
    {
        var texts = settings.PolicyTexts;
        using var draft = texts.Any(text => text.NeedsDraft) ? model.Draft() : null;
        var parts = new PolicyParts(() => module!, () => draft!, seed);
        var options = new CompareOptions
        {
            Policies = [.. texts.Select(text => text.Build(parts))],
            Budgets = [.. settings.Budgets.Select(Budget.Parse)],
            Tasks = settings.Tasks,
            Length = settings.Length,
            Samples = settings.Samples,
            Seed = seed,
            Query = settings.Query,
            Execution = model.Execution,
        };
        var results = Comparison.Run(model.Decoder, model.Encoder, options, new Inline<CompareProgress>(_ => counted()), cancellation);
        foreach (var row in ResultTable.Summarise(results, seed, query: settings.Query))
        {
            yield return Of("accuracy", row.Accuracy!.Value); // every synthetic task has an answer
            if (row.Budget is null)
                continue;
            yield return Of("oracleOverlap", row.OracleOverlap);
            yield return Of("cacheBytes", row.CacheBytes);

            Measurement Of(string metric, double value) => new(row.Policy, row.Budget ?? "", row.Task, metric, value);
        }
    }

    private static Measurement Module(string metric, double value) => new("", "", ResultTable.Mean, metric, value);
}
