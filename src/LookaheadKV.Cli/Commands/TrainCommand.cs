using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Pretraining;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead train</c>: trains lookahead modules for a frozen model, in resumable pieces.</summary>
internal sealed class TrainCommand : Verb
{
    private const string Synthetic = "tasks";
    private readonly ModelOptions _model = new();
    private readonly Option<string> _data = new("--data")
    {
        Description =
            $"`{Synthetic}`: the training half of the synthetic tasks; or a JSON-lines file with \"prompt_ids\" or \"prompt\" and, if known, \"answer_ids\" or \"answer\".",
        DefaultValueFactory = _ => Synthetic,
    };
    private readonly Option<string?> _out = new("--out") { Description = "Folder of checkpoint and modules [default: MODEL/lookahead]." };
    private readonly Setting<int> _steps = Parsed.Count("--steps", "Steps in all.", 1000);
    private readonly Setting<int> _batch = Parsed.Count("--batch", "Examples a step.", 16);
    private readonly Option<double> _rate = new("--learning-rate") { Description = "Peak rate.", DefaultValueFactory = _ => 1e-3 };
    private readonly Setting<int> _tokens = Parsed.Count("--tokens", "n, lookahead tokens.", 32);
    private readonly Setting<int> _rank = Parsed.Count("--rank", "r of the LoRA pairs; 0 trains the tokens alone.", 8, least: 0);
    private readonly Option<int[]> _lengths = new("--lengths")
    {
        Description = "Lengths of the synthetic prompts, drawn from.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [512, 1024, 2048, 2048, 2048],
    };
    private readonly Option<double?> _minutes = new("--minutes")
    {
        Description = "Minutes this piece may take; the next call goes on from there.",
    };

    public TrainCommand()
        : base("train", "Train lookahead modules for a frozen model, in resumable pieces.")
    {
        AddAll([.. _model.All, _data, _out, _steps, _batch, _rate, _tokens, _rank, _lengths, _minutes]);
    }

    protected override Outcome Run(Call call)
    {
        if (!(call.Value(_rate) > 0))
            throw new InputException($"--learning-rate {call.Value(_rate)} is not above 0.");
        using var decoder = _model.Decoder(call);
        var folder = call.Value(_out) ?? Path.Combine(_model.Folder(call), ModelFolders.LookaheadFolder);
        Directory.CreateDirectory(folder);
        AtomicFile.Probe(Path.Combine(folder, "lookahead.json"));
        var seed = call.Value(_model.Seed);
        var settings = new LookaheadSettings { Tokens = call.Value(_tokens), Rank = call.Value(_rank) };
        using var module = LookaheadModule.Create(decoder.Config, settings, seed, decoder.Device);
        var options = new LookaheadTrainerOptions
        {
            Steps = call.Value(_steps),
            LearningRate = call.Value(_rate),
            Minutes = call.Value(_minutes),
            Folder = folder,
        };
        var run = _model.Run(call, decoder);
        call.Screen.Line($"lookahead modules for {run.Model} on {run.Device}: {settings.ParameterCount(decoder.Config):N0} parameters");
        LookaheadTrainingPoint? last = null;
        var loss = new RunningMean();
        var finished = call.Screen.Progress(
            "train",
            report =>
                LookaheadTrainer.Run(
                    decoder,
                    module,
                    Source(call, decoder),
                    options,
                    new Inline<LookaheadTrainingPoint>(point =>
                    {
                        last = point;
                        loss.Add(point.Loss);
                        report(new Tick(point.Step, point.Steps, Units.Format($"KL {loss.Value:0.0000}  {point.Seconds:0} s")));
                    }),
                    call.Cancellation
                )
        );
        LookaheadFiles.Save(module, folder, new Dictionary<string, object> { ["run"] = run, ["steps"] = last?.Step ?? options.Steps });
        call.Screen.Line(finished ? $"done → {folder}" : $"piece done after {last?.Step ?? 0} steps; call again to go on → {folder}");
        return new Outcome(
            run,
            new
            {
                @out = folder,
                finished,
                step = last?.Step,
                seconds = last?.Seconds,
                loss = last is null ? (double?)null : loss.Value,
            }
        );
    }

    private ExampleSource Source(Call call, Decoder decoder)
    {
        var (data, batch, seed) = (call.Value(_data), call.Value(_batch), call.Value(_model.Seed));
        if (data == Synthetic)
        {
            var lengths = call.Value(_lengths);
            if (lengths.FirstOrDefault(length => length < 1 || length > decoder.Config.MaxPositions) is var wrong and not 0)
                throw new InputException($"--lengths {wrong} is outside 1..{decoder.Config.MaxPositions}, the model's context.");
            // Seed 0 of the training half is what models are measured on while they train.
            return NanoRecipe.Examples(new PieceEncoder(_model.Tokenizer(call).Encode), batch, lengths, seed + 1);
        }
        var examples = TrainingExamples.Read(data, () => _model.Tokenizer(call));
        foreach (var (i, example) in examples.Index())
            InputFile.Checked($"{data} line {i + 1}", example.Prompt, decoder, room: Math.Max(1, example.Response.Length));
        return TrainingExamples.Shuffled(examples, batch, seed);
    }

    /// <summary>The loss over the last steps: one step's alone jumps with its prompts.</summary>
    private sealed class RunningMean
    {
        private const double Decay = 0.98;
        private double _weight;
        private double _sum;

        public double Value => _sum / _weight;

        public void Add(double value) => (_sum, _weight) = (Decay * _sum + value, Decay * _weight + 1);
    }
}
