using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Files;
using LookaheadKV.Models;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead convert</c>: a GGUF file as a Hugging Face folder, or its tensors as one safetensors file.</summary>
internal sealed class ConvertCommand : Verb
{
    private const string Extension = ".safetensors";
    private const long WorthABar = 256 << 20;

    private readonly Argument<string> _file = new("file")
    {
        Description = "A .gguf file (of a split one the first part), or ORG/NAME[@REVISION] of the local Hugging Face cache.",
    };
    private readonly Output _out = Output.Either(
        Output.File("--out", $"FILE{Extension}: every tensor under its own name in float32.", IsOwn),
        Output.Folder("--out", "Folder of the model, without one in it; or", NoModel),
        path => !IsFile(path)
    );
    private readonly Setting<string?> _dtype = new(
        "--dtype",
        $"Type of the folder's weights: {string.Join(", ", GgufConversion.Types.Keys)}; in half precision they are rounded [default: {GgufConversion.LosslessType}].",
        text =>
            GgufConversion.Types.ContainsKey(text)
                ? text
                : throw new InputException($"dtype \"{text}\" cannot be written; use {string.Join(", ", GgufConversion.Types.Keys)}.")
    );

    public ConvertCommand()
        : base("convert", "Write a GGUF file as a Hugging Face folder, or all of its tensors as one safetensors file.")
    {
        _out.Required = true;
        Add(_file);
        AddAll(_out, _dtype);
    }

    private static bool IsFile(string path) => path.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    // Hugging Face has other names for the tensors of a model.
    private static bool IsOwn(string path) => OwnFiles.HasTensor(path, "token_embd.weight");

    private static string? NoModel(string folder)
    {
        OutputFolder.RefuseModel(folder);
        return null;
    }

    protected override Outcome Run(Call call)
    {
        var (path, output) = (ModelFolders.Resolve(call.Arguments.GetValue(_file)!), _out.Path(call));
        if (Directory.Exists(path))
            throw new InputException($"{path} is a folder already; convert takes a .gguf file.");
        var alone = IsFile(output);
        var dtype = call.Value(_dtype) ?? GgufConversion.LosslessType;
        if (alone && dtype != GgufConversion.LosslessType)
            throw new UsageException(
                $"--dtype {dtype}: a {Extension} file is written in float32; leave it out, or name a folder by --out."
            );
        var numbers =
            ModelFiles.Open(path).WeightBytes < WorthABar
                ? Write(null)
                : call.Screen.Progress("convert", tell => Write(ModelOptions.Bar(tell)));
        call.Screen.Line(Units.Format($"{numbers:N0} numbers in {dtype} → {output}"));
        return new Outcome(
            RunInfo.Of(call.CommandLine, 0, ""),
            new
            {
                @out = output,
                dtype,
                numbers,
            }
        );

        long Write(IProgress<ReadProgress>? progress) =>
            alone
                ? GgufConversion.ToSafetensors(path, output, progress, call.Cancellation)
                : GgufConversion.ToFolder(path, output, dtype, progress: progress, cancellation: call.Cancellation);
    }
}
