using System.CommandLine;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Files;
using LookaheadKV.Models;
using LookaheadKV.Runtime;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead random</c>: a model folder of a known shape with random weights, to measure speed and memory on.</summary>
internal sealed class RandomCommand : Verb
{
    private const string PromptFile = "prompts.jsonl";
    private readonly Setting<string> _shape = new("--shape", $"{string.Join(", ", ModelShapes.All.Keys)}.", Parsed.Shape)
    {
        Required = true,
    };
    private readonly Output _out = Output.Folder("--out", "Folder of the model, in which there is none yet.", InTheWay);
    private readonly Option<long> _seed = ModelOptions.NewSeed();
    private readonly Setting<string> _device = Parsed.Device("Where weights are drawn: ");
    private readonly Setting<int> _prompts = Parsed.Count("--prompts", "Random prompts to write too, into prompts.jsonl.", 0, least: 0);
    private readonly Setting<int> _length = Parsed.Count("--length", "Tokens of each.", 16_384);

    public RandomCommand()
        : base("random", "Write a model folder of a known shape with random weights (bfloat16), to measure speed and memory on.")
    {
        _out.Required = true;
        AddAll(_shape, _out, _seed, _device, _prompts, _length);
    }

    protected override Outcome Run(Call call)
    {
        var (shape, folder, seed) = (call.Value(_shape), _out.Path(call), call.Value(_seed));
        var config = ModelShapes.Find(shape);
        var device = Devices.Parse(call.Value(_device));
        var parameters = call.Screen.Progress(
            "write",
            report =>
                RandomFolder.Write(
                    folder,
                    config,
                    seed,
                    device,
                    progress: new Inline<ReadProgress>(p => report(new Tick(p.Bytes, p.TotalBytes, $"bytes, {p.Tensor}"))),
                    cancellation: call.Cancellation
                )
        );
        if (call.Value(_prompts) > 0)
            _out.WriteText(call, PromptFile, Prompts(config, call.Value(_prompts), call.Value(_length), seed));
        call.Screen.Line(Units.Format($"{parameters:N0} random parameters of shape {shape} → {folder}"));
        return new Outcome(
            RunInfo.Of(call.CommandLine, seed, Devices.Describe(device)),
            new
            {
                @out = folder,
                shape,
                parameters,
            }
        );
    }

    private static string? InTheWay(string folder)
    {
        OutputFolder.RefuseModel(folder);
        return Output.First(folder, (PromptFile, path => OwnFiles.BeginsWith(path, "{\"prompt_ids\":[")));
    }

    private static string Prompts(DecoderConfig config, int count, int length, long seed)
    {
        var random = new Random(unchecked((int)seed));
        var lines = Enumerable
            .Range(0, count)
            .Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(config.VocabularySize)).ToArray())
            .Select(ids => JsonSerializer.Serialize(new { prompt_ids = ids }) + "\n");
        return string.Concat(lines);
    }
}
