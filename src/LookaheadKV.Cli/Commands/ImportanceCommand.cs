using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead importance</c>: true importance of a prompt's entries and, with modules, the predicted one.</summary>
internal sealed class ImportanceCommand : Verb
{
    private readonly ModelOptions _model = new();
    private readonly Option<string> _ids = new("--ids") { Description = "JSON file with the prompt's token ids.", Required = true };
    private readonly Option<string?> _response = new("--response-ids")
    {
        Description = "JSON file with the response's ids [default: the model's own greedy answer].",
    };
    private readonly Output _out = Output.File(
        "--out",
        "Safetensors file for `true` and `predicted` [L,H,N], float32.",
        path => OwnFiles.IsTensors(path, ["true"], "predicted")
    );

    public ImportanceCommand()
        : base("importance", "Write the true importance of every prompt entry and, with modules, the predicted one.")
    {
        _out.Required = true;
        AddAll([_ids, _response, _out, .. _model.WithModules]);
    }

    protected override Outcome Run(Call call)
    {
        var place = _out.Place(call);
        using var decoder = _model.Decoder(call);
        using var module = _model.ModuleIfAny(call, decoder);
        var prompt = InputFile.Ids(call.Value(_ids), decoder, room: 1);
        using var trace = new PromptTrace(decoder, prompt, cancellation: call.Cancellation, execution: _model.Execution(call));
        var response = Response(call, decoder, trace);
        using var scope = NewDisposeScope();
        var tensors = new List<(string Name, Tensor Tensor)> { ("true", Inspection.Importance(trace, new OracleOf(response))) };
        if (module is not null)
            tensors.Add(("predicted", Inspection.Importance(trace, new LookaheadScore(module))));
        _out.WriteFile(call, path => Safetensors.Write(path, tensors));
        var (names, shape) = (tensors.Select(t => t.Name).ToArray(), tensors[0].Tensor.shape);
        call.Screen.Line(
            $"{string.Join(", ", names)} [{string.Join(", ", shape)}] over a response of {response.Count} tokens → {place}"
                + (module is null ? " (no modules, so nothing is predicted)" : "")
        );
        return new Outcome(
            _model.Run(call, decoder),
            new
            {
                @out = place,
                tensors = names,
                shape,
                responseIds = response,
            }
        );
    }

    private IReadOnlyList<int> Response(Call call, Decoder decoder, PromptTrace trace)
    {
        if (call.Value(_response) is not { } path)
            return trace.Response;
        var ids = InputFile.Ids(path, decoder);
        var (needed, context) = (trace.Prompt.Count + ids.Length, decoder.Config.MaxPositions);
        return needed <= context
            ? ids
            : throw new InputException($"{path}: prompt and response have {needed} tokens, the model's context is {context}; shorten one.");
    }

    /// <summary>The oracle of a given response.</summary>
    private sealed record OracleOf(IReadOnlyList<int> Response) : IObserverScorer
    {
        public string Name => Oracle.Method.Name;

        public IObserver Observe(PromptContext context) => new ResponseRows(Response);

        public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Oracle.Score(prompt.Keys, observer);
    }
}
