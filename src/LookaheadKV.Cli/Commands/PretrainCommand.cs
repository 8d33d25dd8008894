using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Files;
using LookaheadKV.Pretraining;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using TorchSharp;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead pretrain</c>: trains the small model in resumable pieces and writes it as a Hugging Face folder.</summary>
internal sealed class PretrainCommand : Verb
{
    private const string ModelFolder = "model";
    private readonly Output _out = Output.Folder("--out", "Folder of the run: checkpoint, loss curve, model/.", InTheWay);
    private readonly Option<string?> _plan = new("--plan") { Description = "JSON file with the plan (model, stages, optimiser, seed)." };
    private readonly Setting<double?> _minutes = Parsed.Minutes();
    private readonly Setting<string> _device = Parsed.Device();
    private readonly Option<string?> _from = new("--from")
    {
        Description = "Hugging Face folder whose weights a new run starts from, its tokenizer with them.",
    };
    private readonly Option<bool> _restart = new(Restart)
    {
        Description = "Give up the checkpoint in the folder and begin anew; a tokenizer in model/ stays.",
    };
    private readonly Option<bool> _fuse = new("--fuse") { Description = "Let TorchScript fuse the forward pass." };

    public PretrainCommand()
        : base("pretrain", "Train the small model from nothing, in resumable pieces.")
    {
        _out.Required = true;
        AddAll(_out, _plan, _minutes, _device, _from, _fuse, _restart);
    }

    protected override string WhenCancelled(Call call) => GoesOn(call);

    protected override Outcome Run(Call call)
    {
        var folder = _out.Path(call);
        var model = Path.Combine(folder, ModelFolder);
        var device = Devices.Parse(call.Value(_device));
        var plan = call.Value(_plan) is { } path ? PretrainingPlan.Load(path) : new PretrainingPlan { TotalMinutes = 16 };
        OutputFolder.Create(model);
        var tokenizer = TokenizerOf(call, model, plan);
        var encoder = new PieceEncoder(tokenizer.Encode);
        plan = plan with { Model = plan.Model with { VocabularySize = (tokenizer.VocabularySize + 63) / 64 * 64 } };
        var options = new PretrainingOptions
        {
            Folder = folder,
            Device = device,
            DataType = device.type == DeviceType.CUDA ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32,
            StartFrom = call.Value(_from),
            Minutes = call.Value(_minutes),
            Fuse = call.Value(_fuse),
            Settings = Settings(call, model, device),
        };
        var restart = call.Value(_restart) || call.Overwrites;
        if (restart)
            PretrainingCheckpoint.Delete(folder);
        var before = Before(plan, options);
        var run = RunInfo.Of(
            call.CommandLine,
            (long)plan.Seed,
            Devices.Describe(device),
            options.DataType.ToString().ToLowerInvariant(),
            model
        );
        WriteIncomplete(call, run, new { @out = model, step = before?.Step ?? 0 }, anew: restart);
        call.Screen.Line(
            $"{Devices.Describe(device)}, vocabulary {plan.Model.VocabularySize}, stages {string.Join(" → ", plan.Stages.Select(s => $"{s.Length}×{s.Batch}"))}"
        );
        var result = call.Screen.Progress(
            "pretrain",
            report =>
                Pretrainer.Run(
                    plan,
                    options,
                    NanoRecipe.Sequences(encoder),
                    NanoRecipe.Tasks(encoder),
                    new Inline<CurvePoint>(point => report(new Tick(100 * plan.Progress(point.Seconds, point.Tokens), 100, Text(point)))),
                    call.Cancellation
                )
        );
        Pretrainer.Export(folder, model, torch.ScalarType.BFloat16, tokenizer.Id(Templates.End)!.Value);
        call.Screen.Table(["task", "exact match"], result.Accuracies.Select(a => (string[])[a.Key, Units.Format($"{a.Value:0.000}")]));
        call.Screen.Line(result.Finished ? $"done → {model}" : $"piece done after {result.State.Step:N0} steps; {GoesOn(call)}");
        return new Outcome(
            run,
            new
            {
                @out = model,
                result.Finished,
                result.State.Step,
                result.State.Tokens,
                result.State.Seconds,
                result.Accuracies,
            },
            Complete: result.Finished
        );
    }

    private static PretrainingState? Before(PretrainingPlan plan, PretrainingOptions options)
    {
        try
        {
            return Pretrainer.Before(plan, options);
        }
        catch (InputException e)
        {
            throw new InputException($"{e.Message.TrimEnd('.')}, or begin anew by {Restart}.", e);
        }
    }

    // Beside the plan: where the weights begin, what the data is made of, what computes.
    private RunSettings Settings(Call call, string model, torch.Device device) =>
        CallSettings
            .Of(call)
            .With(
                (_plan.Name, null),
                (_device.Name, device.type.ToString().ToLowerInvariant()),
                (_from.Name, call.Value(_from) is { } from ? FolderFingerprint.Of(from)[..CallSettings.Shown] : null),
                CallSettings.Tokenizer(model)
            );

    // A run that has a checkpoint goes on from it. Without one, all that a killed run may have left is a tokenizer and a loss curve.
    private static string? InTheWay(string folder)
    {
        if (PretrainingCheckpoint.Exists(folder))
            return null;
        OutputFolder.RefuseModel(Path.Combine(folder, ModelFolder), mayHaveTokenizer: true);
        return Output.First(folder, (LossCurve.FileName, path => OwnFiles.IsObjectOf(path, "Step", "Tokens")))
            ?? PretrainingCheckpoint.TensorFiles(folder).FirstOrDefault();
    }

    private Tokenizer TokenizerOf(Call call, string model, PretrainingPlan plan)
    {
        var path = Path.Combine(model, "tokenizer.json");
        if (!File.Exists(path))
        {
            if (call.Value(_from) is { } from)
            {
                foreach (var file in new[] { "tokenizer.json", "tokenizer_config.json" })
                    _out.WriteText(call, Path.Combine(ModelFolder, file), JsonFiles.Text(Path.Combine(from, file)));
                return Tokenizer.Load(path);
            }
            NanoRecipe.TrainTokenizer((long)plan.Seed, call.Cancellation).Write(path);
            TokenizerConfig.Write(Path.Combine(model, "tokenizer_config.json"), Templates.Begin, Templates.End, plan.Model.MaxPositions);
        }
        return Tokenizer.Load(path);
    }

    private static string Text(CurvePoint point)
    {
        var accuracies = point.Accuracies is { } all
            ? "  " + string.Join(" ", all.Select(a => Units.Format($"{a.Key} {a.Value:0.00}")))
            : "";
        return Units.Format($"step {point.Step}  {point.Tokens / 1e6:0.0}M tokens  {point.Seconds:0} s  length {point.Length}  ")
            + Units.Format($"loss {point.Loss:0.0000}  rate {point.LearningRate:0.00e0}  {point.TokensPerSecond / 1e6:0.00}M/s")
            + accuracies;
    }
}
