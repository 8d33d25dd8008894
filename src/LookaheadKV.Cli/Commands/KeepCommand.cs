using System.CommandLine;
using LookaheadKV.Cli.Common;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead keep</c>: which positions a policy keeps, and how two such sets differ.</summary>
internal sealed class KeepCommand : Verb
{
    private readonly ModelOptions _model = new();
    private readonly PolicyOptions _policy;
    private readonly Option<string?> _ids = new("--ids") { Description = "JSON file with the prompt's token ids." };
    private readonly Output _out = Output.File(
        "--out",
        "JSON file for the kept positions.",
        path => OwnFiles.IsObjectOf(path, "policy", "budget", "length", "layers")
    );
    private readonly Setting<int?> _blocks = new(
        "--blocks",
        "Round outwards to whole blocks of this many positions, as paged engines hold them.",
        text => int.TryParse(text, out var size) && size > 0 ? size : throw new InputException($"\"{text}\" is not a number of 1 or more.")
    );
    private readonly Option<string[]> _diff = new("--diff")
    {
        Description = "Compare two files of kept positions instead.",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
    };

    public KeepCommand()
        : base("keep", "Write the positions that a policy keeps, by layer and kv head, or compare two such files.")
    {
        _policy = new PolicyOptions(this, fallback: null, unless: _diff);
        AddAll([_ids, .. _policy.All, _out, _blocks, _diff, .. _model.WithPolicies]);
        AddRule(arguments =>
            IsGiven(arguments, _diff) || (IsGiven(arguments, _ids) && IsGiven(arguments, _out))
                ? []
                : ["give --ids and --out to write a kept set, or --diff A B to compare two."]
        );
    }

    protected override Outcome Run(Call call) =>
        call.Arguments.GetResult(_diff) is null ? Write(call) : Compare(call, call.Value(_diff)[0], call.Value(_diff)[1]);

    private Outcome Write(Call call)
    {
        var place = _out.Place(call);
        using var scope = NewDisposeScope();
        using var decoder = _model.Decoder(call);
        var ids = InputFile.Ids(call.Value(_ids)!, decoder);
        var policy = _policy.Policy(call, _model, decoder);
        using var session = Session.Start(decoder, ids, policy, reserve: 0, call.Cancellation, _model.Execution(call));
        var kept = session.KeptPositions(policy);
        if (call.Value(_blocks) is { } size)
            kept = kept.RoundToBlocks(size);
        _out.WriteFile(call, kept.Save);
        call.Screen.Line(
            Units.Format($"{kept.Policy} kept {kept.MeanCount:0.#} of {ids.Length} tokens in {kept.Layers.Count} layers of ")
                + $"{kept.Layers[0].Count} kv heads → {place}"
        );
        return new Outcome(
            _model.Run(call, decoder),
            new
            {
                @out = place,
                policy = kept.Policy,
                budget = kept.Budget,
                length = ids.Length,
                keptTokens = kept.MeanCount,
                session.Report.CacheBytes,
            }
        );
    }

    private Outcome Compare(Call call, string left, string right)
    {
        var (a, b) = (KeptPositions.Load(left), KeptPositions.Load(right));
        var differences = a.DifferencesTo(b);
        call.Screen.Table(
            ["layer", "head", "shared", $"only {a.Policy}", $"only {b.Policy}", "Jaccard"],
            differences.Select(d =>
                (string[])
                    [
                        $"{d.Layer}",
                        $"{d.Head}",
                        $"{d.Shared}",
                        $"{d.OnlyLeft.Count}",
                        $"{d.OnlyRight.Count}",
                        Units.Format($"{d.Jaccard:0.000}"),
                    ]
            )
        );
        var mean = differences.Average(d => d.Jaccard);
        call.Screen.Line(Units.Format($"{left} and {right} share {mean:0.000} of what either keeps (mean Jaccard over layers and heads)"));
        return new Outcome(_model.Run(call), new { jaccard = mean, differences });
    }
}
