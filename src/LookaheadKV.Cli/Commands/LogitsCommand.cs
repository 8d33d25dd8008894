using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead logits</c>: a model's logits on given ids, for checking against other implementations.</summary>
internal sealed class LogitsCommand : Verb
{
    private const int RowsAtOnce = 256;
    private readonly ModelOptions _model = new();
    private readonly Option<string> _ids = new("--ids") { Description = "JSON file with token ids.", Required = true };
    private readonly Output _out = Output.File(
        "--out",
        "Safetensors file for `logits` [N, vocabulary], float32.",
        path => OwnFiles.IsTensors(path, ["logits"])
    );

    public LogitsCommand()
        : base("logits", "Write the logits of every position.")
    {
        _out.Required = true;
        AddAll([_ids, _out, .. _model.All]);
    }

    protected override Outcome Run(Call call)
    {
        var place = _out.Place(call);
        using var decoder = _model.Decoder(call);
        var ids = InputFile.Ids(call.Value(_ids), decoder);
        using var logits = Logits(decoder, ids, _model.Execution(call), call.Cancellation);
        _out.WriteFile(call, path => Safetensors.Write(path, [("logits", logits)]));
        call.Screen.Line($"logits [{logits.size(0)}, {logits.size(1)}] → {place}");
        return new Outcome(_model.Run(call, decoder), new { @out = place, shape = logits.shape });
    }

    /// <summary>Logits [N, vocabulary] (float32) on the CPU; the device holds some rows at a time.</summary>
    private static Tensor Logits(Decoder decoder, int[] ids, Execution? execution, CancellationToken cancellation)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var hidden = PromptPass.Run(decoder, decoder.Ids(ids), static (_, _) => { }, cancellation, decoder.Running(execution));
        var logits = empty(ids.Length, decoder.Config.VocabularySize, dtype: ScalarType.Float32);
        for (var start = 0; start < ids.Length; start += RowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var rows = Math.Min(RowsAtOnce, ids.Length - start);
            logits.narrow(0, start, rows).copy_(decoder.Logits(hidden.narrow(1, start, rows))[0]);
        }
        return logits.MoveToOuterDisposeScope();
    }
}
