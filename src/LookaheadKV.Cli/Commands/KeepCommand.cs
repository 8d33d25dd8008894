using System.CommandLine;
using System.Text.Json;
using LookaheadKV.Cache;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Generation;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead keep</c>: which positions a policy keeps.</summary>
internal sealed class KeepCommand : Verb
{
    private readonly ModelOptions _model = new();
    private readonly PolicyOptions _policy;
    private readonly Option<string> _ids = new("--ids") { Description = "JSON file with the prompt's token ids.", Required = true };
    private readonly Option<string> _out = new("--out") { Description = "JSON file for the kept positions.", Required = true };

    public KeepCommand()
        : base("keep", "Write the positions that a policy keeps, by layer and kv head.")
    {
        _policy = new PolicyOptions(this, fallback: null);
        AddAll([_ids, .. _policy.All, _out, .. _model.WithModules]);
    }

    protected override Outcome Run(Call call)
    {
        var path = call.Value(_out);
        AtomicFile.Probe(path);
        using var decoder = _model.Decoder(call);
        var ids = InputFile.Ids(call.Value(_ids), decoder);
        var policy = _policy.Policy(call, _model, decoder);
        using var session = Session.Start(decoder, ids, policy, reserve: 0, call.Cancellation);
        var (name, budget) = (policy.Name, policy.Budget?.ToString());
        var layers = session.Cache.Layers.Select(Positions).ToArray();
        AtomicFile.WriteText(
            path,
            JsonSerializer.Serialize(
                new
                {
                    policy = name,
                    budget,
                    length = ids.Length,
                    layers,
                },
                JsonFiles.Options
            ) + "\n"
        );
        call.Screen.Line(
            $"{name} kept {session.Report.KeptTokens} of {ids.Length} tokens in {layers.Length} layers of {layers[0].Length} kv heads → {path}"
        );
        return new Outcome(
            _model.Run(call, decoder),
            new
            {
                @out = path,
                policy = name,
                budget,
                length = ids.Length,
                session.Report.KeptTokens,
                session.Report.CacheBytes,
            }
        );
    }

    /// <summary>Positions that a layer holds, a kv head each.</summary>
    private static long[][] Positions(LayerCache layer)
    {
        using var scope = NewDisposeScope();
        return [.. layer.Positions[0].cpu().contiguous().data<long>().ToArray().Chunk((int)layer.StoredLength)];
    }
}
