using System.CommandLine;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Pretraining;
using LookaheadKV.Runtime;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead train</c>: trains lookahead modules for a frozen model.</summary>
internal static class TrainCommand
{
    private static readonly Option<string> Model = new("--model") { Required = true };
    private static readonly Option<string> Out = new("--out") { Required = true };
    private static readonly Option<int> Steps = new("--steps") { DefaultValueFactory = _ => 1000 };
    private static readonly Option<int> Batch = new("--batch") { DefaultValueFactory = _ => 16 };
    private static readonly Option<double> Rate = new("--learning-rate") { DefaultValueFactory = _ => 1e-3 };
    private static readonly Option<int> Tokens = new("--tokens") { DefaultValueFactory = _ => 32 };
    private static readonly Option<int> Rank = new("--rank") { DefaultValueFactory = _ => 8 };
    private static readonly Option<int[]> Lengths = new("--lengths") { AllowMultipleArgumentsPerToken = true };
    private static readonly Option<double?> Minutes = new("--minutes");
    private static readonly Option<string?> DeviceName = new("--device");

    public static Command Create()
    {
        var command = new Command("train", "Train lookahead modules for a frozen model.")
        {
            Model,
            Out,
            Steps,
            Batch,
            Rate,
            Tokens,
            Rank,
            Lengths,
            Minutes,
            DeviceName,
        };
        command.SetAction((result, cancellation) => Task.Run(() => Run(result, cancellation), cancellation));
        return command;
    }

    private static int Run(ParseResult arguments, CancellationToken cancellation)
    {
        var folder = arguments.GetRequiredValue(Model);
        var device = Devices.Parse(arguments.GetValue(DeviceName));
        using var decoder = Decoder.Load(folder, device);
        var settings = new LookaheadSettings { Tokens = arguments.GetValue(Tokens), Rank = arguments.GetValue(Rank) };
        using var module = LookaheadModule.Create(decoder.Config, settings, device: device);
        var encoder = new PieceEncoder(Tokenizer.Load(folder).Encode);
        var lengths = arguments.GetValue(Lengths) is { Length: > 0 } given ? given : [512, 1024, 2048, 2048, 2048];
        var options = new LookaheadTrainerOptions
        {
            Steps = arguments.GetValue(Steps),
            LearningRate = arguments.GetValue(Rate),
            Minutes = arguments.GetValue(Minutes),
            Folder = arguments.GetRequiredValue(Out),
        };
        var source = NanoRecipe.Examples(encoder, arguments.GetValue(Batch), lengths, 1);
        var (sum, count, generated) = (0.0, 0, 0);
        var progress = new Inline(point =>
        {
            (sum, count, generated) = (sum + point.Loss, count + 1, generated + point.Generated);
            if (point.Step % 50 != 0 && point.Step != 1)
                return;
            Console.WriteLine(
                $"step {point.Step, 5}/{point.Steps}  {point.Seconds, 5:0} s  KL {sum / count:0.0000}  rate {point.LearningRate:0.00e0}  generated {generated}"
            );
            (sum, count, generated) = (0, 0, 0);
        });
        LookaheadTrainer.Run(decoder, module, source, options, progress, cancellation);
        LookaheadFiles.Save(
            module,
            options.Folder,
            new Dictionary<string, object> { ["steps"] = options.Steps, ["batch"] = arguments.GetValue(Batch), ["learning_rate"] = options.LearningRate }
        );
        return 0;
    }

    private sealed class Inline(Action<LookaheadTrainingPoint> report) : IProgress<LookaheadTrainingPoint>
    {
        public void Report(LookaheadTrainingPoint value) => report(value);
    }
}
