using System.CommandLine;
using LookaheadKV.Evaluation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using TorchSharp;

namespace LookaheadKV.Cli.Common;

/// <summary>The options of every verb that runs a model: which, where, in what type, with what seed.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> _device = new("--device") { Description = "cpu, cuda or cuda:N (default: cuda where there is one)." };
    private readonly Option<torch.ScalarType> _dtype = Parsed.Option(
        "--dtype",
        "float32 or bfloat16: weights, activations and cache.",
        Parsed.DType,
        "float32"
    );

    public static Option<string> NewModel() =>
        new("--model") { Description = "nano (shipped) or a Hugging Face folder.", DefaultValueFactory = _ => ModelFolders.Nano };

    public static Option<long> NewSeed() => new("--seed") { Description = "Seed of everything random.", DefaultValueFactory = _ => 0 };

    public Option<string> Model { get; } = NewModel();

    public Option<long> Seed { get; } = NewSeed();

    public IEnumerable<Option> All => [Model, _device, _dtype, Seed];

    public string Folder(Call call) => ModelFolders.Resolve(call.Value(Model));

    public Decoder Decoder(Call call)
    {
        var folder = Folder(call);
        var device = Devices.Parse(call.Value(_device));
        return InputFile.Named(folder, () => Models.Decoder.Load(folder, device, call.Value(_dtype)));
    }

    public Tokenizer Tokenizer(Call call) => Text.Tokenizer.Load(Folder(call));

    /// <summary>The tokenizer of a folder that may have none.</summary>
    public Tokenizer? TokenizerIfAny(Call call) => File.Exists(Path.Combine(Folder(call), "tokenizer.json")) ? Tokenizer(call) : null;

    public LookaheadModule Module(Call call, Decoder decoder)
    {
        var folder = Path.Combine(Folder(call), ModelFolders.LookaheadFolder);
        return Directory.Exists(folder)
            ? LookaheadFiles.Load(folder, decoder.Config, decoder.Device)
            : throw new InputException(
                $"{folder}: no such folder; this model has no lookahead modules yet: make them with `lookahead train --model {call.Value(Model)}`."
            );
    }

    public bool HasModule(Call call) => Directory.Exists(Path.Combine(Folder(call), ModelFolders.LookaheadFolder));

    public RunInfo Run(Call call, Decoder decoder) =>
        RunInfo.Of(
            call.CommandLine,
            call.Value(Seed),
            Devices.Describe(decoder.Device),
            decoder.DType.ToString().ToLowerInvariant(),
            call.Value(Model)
        );
}
