using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using TorchSharp;

namespace LookaheadKV.Cli.Common;

/// <summary>The options of every verb that runs a model: which, where, in what type, with what seed.</summary>
/// <param name="execution">What its <c>--execution</c> says, where that is not how layers run, compiled by default.</param>
internal sealed class ModelOptions(string execution = "reference, compiled, fused or graph: how layers run [default: compiled].")
{
    // Smaller models are there before a bar is.
    private const long WorthABar = 256 << 20;

    private readonly Setting<string> _device = Parsed.Device();
    private readonly Setting<torch.ScalarType> _dtype = new(
        "--dtype",
        "float32 or bfloat16: weights, activations and cache.",
        Parsed.DType,
        "float32"
    );

    private readonly Setting<Execution?> _execution = new("--execution", execution, text => Runtime.Execution.Parse(text));

    private readonly Option<string?> _modules = new("--modules")
    {
        Description = "Folder of trained lookahead modules [default: MODEL/lookahead; of X.gguf X.lookahead].",
    };

    private readonly Option<string?> _draft = new("--draft")
    {
        Description = "speckv's draft model, named as --model [default: MODEL/draft; of X.gguf X.draft].",
    };

    public static Option<string> NewModel() =>
        new("--model")
        {
            Description = "nano (shipped), a Hugging Face folder, a .gguf file, or ORG/NAME[@REVISION] of the local Hugging Face cache.",
            DefaultValueFactory = _ => ModelFolders.Nano,
        };

    public static Option<long> NewSeed() => new("--seed") { Description = "Seed of everything random.", DefaultValueFactory = _ => 0 };

    public Option<string> Model { get; } = NewModel();

    public Option<long> Seed { get; } = NewSeed();

    public IEnumerable<Option> All => [Model, _device, _dtype, _execution, Seed];

    /// <summary>How layers shall run; null: as the verb likes best.</summary>
    public Execution? Execution(Call call) => call.Value(_execution);

    public string Folder(Call call) => ModelFolders.Resolve(call.Value(Model));

    public Decoder Decoder(Call call)
    {
        var folder = Folder(call);
        var (device, dtype) = Place(call);
        return InputFile.Named(
            folder,
            () => ModelFiles.Open(folder).WeightBytes < WorthABar ? Load(null) : call.Screen.Progress("load", tell => Load(Bar(tell)))
        );

        Decoder Load(IProgress<ReadProgress>? progress) => Models.Decoder.Load(folder, device, dtype, progress, call.Cancellation);
    }

    /// <summary>
    /// Says on standard error what the model's files ask for and this run does not do, and what of it is done: answers would differ elsewhere.
    /// Nothing where they ask for nothing.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="settings">What the files ask for.</param>
    /// <param name="answers">How answers come in this run.</param>
    /// <param name="applied">The keys that are done.</param>
    /// <param name="settled">The keys in whose place an option was given.</param>
    public static void Tell(Call call, GenerationSettings settings, string answers, string[]? applied = null, string[]? settled = null)
    {
        var open = settings
            .Changes.Where(change => settled?.Contains(change.Key) != true)
            .ToLookup(change => applied?.Contains(change.Key) == true);
        string[] parts =
        [
            .. open[true].Any() ? [$"{Listed(open[true])} is applied"] : Array.Empty<string>(),
            .. open[false].Any()
                ? [$"{Listed(open[false])} {(open[false].Count() == 1 ? "is" : "are")} not applied: {answers}"]
                : Array.Empty<string>(),
        ];
        if (parts.Length > 0)
            call.Arguments.InvocationConfiguration.Error.WriteLine($"note: {settings.Source}: {string.Join("; ", parts)}.");

        static string Listed(IEnumerable<(string Key, string Value)> changes) =>
            string.Join(", ", changes.Select(change => $"{change.Key} {change.Value}"));
    }

    /// <summary>Shows how far a checkpoint is read.</summary>
    public static IProgress<ReadProgress> Bar(Action<Tick> tell) =>
        new Inline<ReadProgress>(p => tell(new Tick(p.Bytes >> 20, p.TotalBytes >> 20, "MiB")));

    /// <summary>Where the model shall be, and in what type.</summary>
    public (torch.Device Device, torch.ScalarType DType) Place(Call call) => (Devices.Parse(call.Value(_device)), call.Value(_dtype));

    public Tokenizer Tokenizer(Call call) => Text.Tokenizer.Load(Folder(call));

    /// <summary>The tokenizer of a folder that may have none.</summary>
    public Tokenizer? TokenizerIfAny(Call call) => Text.Tokenizer.IsIn(Folder(call)) ? Tokenizer(call) : null;

    /// <summary>Options of the verbs that can use lookahead modules.</summary>
    public IEnumerable<Option> WithModules => [Model, _modules, _device, _dtype, _execution, Seed];

    /// <summary>The trained modules; an error where there are none.</summary>
    public LookaheadModule Module(Call call, Decoder decoder)
    {
        var folder = ModuleFolder(call);
        return Directory.Exists(folder)
            ? LookaheadFiles.Load(folder, decoder.Config, decoder.Device)
            : throw new InputException(
                $"{folder}: no such folder; this model has no lookahead modules yet: make them with `lookahead train --model {call.Value(Model)} --out DIR`, and name DIR by --modules."
            );
    }

    /// <summary>The trained modules; null where none are named and the model has none.</summary>
    public LookaheadModule? ModuleIfAny(Call call, Decoder decoder) =>
        call.Value(_modules) is null && !Directory.Exists(ModuleFolder(call)) ? null : Module(call, decoder);

    /// <summary>Options of the verbs that run any policy.</summary>
    public IEnumerable<Option> WithPolicies => [Model, _modules, _draft, _device, _dtype, _execution, Seed];

    /// <summary>The draft model, where the model is; an error where there is none.</summary>
    public Decoder Draft(Call call, Decoder decoder)
    {
        var draft = DraftModel(call);
        return ModelFiles.Exists(draft)
            ? InputFile.Named(draft, () => Models.Decoder.Load(draft, decoder.Device, decoder.DType))
            : throw new InputException(
                $"{draft}: no such folder; this model has no draft model: name a smaller one with the same tokenizer by --draft."
            );
    }

    private string DraftModel(Call call) =>
        call.Value(_draft) is { } named ? ModelFolders.Resolve(named) : ModelFolders.Draft(Folder(call));

    private string ModuleFolder(Call call) => call.Value(_modules) ?? ModelFolders.Lookahead(Folder(call));

    /// <summary>What results depend on of the model, as values of its options: contents in place of names, the kind of device that was taken.</summary>
    /// <param name="call">The call.</param>
    /// <param name="modules">Whether lookahead modules are used.</param>
    /// <param name="draft">Whether a draft model is used.</param>
    public IEnumerable<(string Name, string? Value)> Fingerprints(Call call, bool modules = false, bool draft = false) =>
        [
            (Model.Name, FolderFingerprint.Of(Folder(call))[..CallSettings.Shown]),
            CallSettings.Tokenizer(Folder(call)),
            (_device.Name, Place(call).Device.type.ToString().ToLowerInvariant()),
            (_modules.Name, modules ? CallSettings.OfFiles(ModuleFolder(call), LookaheadFiles.All) : null),
            (
                _draft.Name,
                draft && ModelFiles.Exists(DraftModel(call)) ? FolderFingerprint.Of(DraftModel(call))[..CallSettings.Shown] : null
            ),
        ];

    /// <summary>Of a run without a model.</summary>
    public RunInfo Run(Call call) => RunInfo.Of(call.CommandLine, call.Value(Seed), "", "", "");

    public RunInfo Run(Call call, Decoder decoder, string? name = null) =>
        RunInfo.Of(
            call.CommandLine,
            call.Value(Seed),
            Devices.Describe(decoder.Device),
            decoder.DType.ToString().ToLowerInvariant(),
            name ?? call.Value(Model)
        );
}
