using System.CommandLine;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Pretraining;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using TorchSharp;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead pretrain</c>: trains the small model in resumable pieces and writes it as a Hugging Face folder.</summary>
internal static class PretrainCommand
{
    private static readonly Option<string> Out = new("--out")
    {
        Description = "Folder of the run: checkpoint, loss curve, model/.",
        Required = true,
    };
    private static readonly Option<string?> Plan = new("--plan")
    {
        Description = "JSON file with the plan (model, stages, optimiser, seed).",
    };
    private static readonly Option<double?> Minutes = new("--minutes")
    {
        Description = "Minutes this piece may take; the next call goes on from there.",
    };
    private static readonly Option<string?> DeviceName = new("--device")
    {
        Description = "cpu or cuda (default: cuda where there is one).",
    };
    private static readonly Option<string?> From = new("--from")
    {
        Description = "Hugging Face folder whose weights a new run starts from, its tokenizer with them.",
    };
    private static readonly Option<bool> Fuse = new("--fuse") { Description = "Let TorchScript fuse the forward pass." };

    public static Command Create()
    {
        var command = new Command("pretrain", "Train the small model from nothing, in resumable pieces.")
        {
            Out,
            Plan,
            Minutes,
            DeviceName,
            Fuse,
            From,
        };
        command.SetAction((result, cancellation) => Task.Run(() => Run(result, cancellation), cancellation));
        return command;
    }

    private static int Run(ParseResult arguments, CancellationToken cancellation)
    {
        var folder = arguments.GetRequiredValue(Out);
        var model = Path.Combine(folder, "model");
        var device = Devices.Parse(arguments.GetValue(DeviceName));
        var plan = arguments.GetValue(Plan) is { } path ? PretrainingPlan.Load(path) : new PretrainingPlan { TotalMinutes = 16 };
        var tokenizer = TokenizerOf(model, arguments.GetValue(From), plan, cancellation);
        var encoder = new PieceEncoder(tokenizer.Encode);
        plan = plan with { Model = plan.Model with { VocabularySize = (tokenizer.VocabularySize + 63) / 64 * 64 } };
        var options = new PretrainingOptions
        {
            Folder = folder,
            Device = device,
            DataType = device.type == DeviceType.CUDA ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32,
            StartFrom = arguments.GetValue(From),
            Minutes = arguments.GetValue(Minutes),
            Fuse = arguments.GetValue(Fuse),
        };
        Console.WriteLine(
            $"{Devices.Describe(device)}, vocabulary {plan.Model.VocabularySize}, stages {string.Join(" → ", plan.Stages.Select(s => $"{s.Length}×{s.Batch}"))}"
        );
        var progress = new Inline(Print);
        var result = Pretrainer.Run(plan, options, NanoRecipe.Sequences(encoder), NanoRecipe.Tasks(encoder), progress, cancellation);
        Pretrainer.Export(folder, model, torch.ScalarType.BFloat16, tokenizer.Id(Templates.End)!.Value);
        Console.WriteLine(result.Finished ? $"done: {model}" : $"piece done after {result.State.Step:N0} steps; call again to go on");
        return 0;
    }

    private static Tokenizer TokenizerOf(string model, string? from, PretrainingPlan plan, CancellationToken cancellation)
    {
        var path = Path.Combine(model, "tokenizer.json");
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(model);
            if (from is not null)
            {
                foreach (var file in new[] { "tokenizer.json", "tokenizer_config.json" })
                    File.Copy(Path.Combine(from, file), Path.Combine(model, file));
                return Tokenizer.Load(path);
            }
            NanoRecipe.TrainTokenizer((long)plan.Seed, cancellation).Write(path);
            TokenizerConfig.Write(Path.Combine(model, "tokenizer_config.json"), Templates.Begin, Templates.End, plan.Model.MaxPositions);
        }
        return Tokenizer.Load(path);
    }

    private static void Print(CurvePoint point)
    {
        var accuracies = point.Accuracies is { } all ? "  " + string.Join(" ", all.Select(a => $"{a.Key} {a.Value:0.00}")) : "";
        Console.WriteLine(
            $"step {point.Step, 6} {point.Tokens / 1e6, 7:0.0}M tok {point.Seconds, 6:0} s  length {point.Length, 4}  loss {point.Loss:0.0000}  rate {point.LearningRate:0.00e0}  {point.TokensPerSecond / 1e6:0.00}M/s{accuracies}"
        );
    }

    // Progress<T> would post to the thread pool and print out of order.
    private sealed class Inline(Action<CurvePoint> report) : IProgress<CurvePoint>
    {
        public void Report(CurvePoint value) => report(value);
    }
}
