using System.CommandLine;
using System.Diagnostics;
using LookaheadKV.Cli.Common;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Text;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead generate</c>: one answer, with what was kept and what it cost.</summary>
internal sealed class GenerateCommand : Verb
{
    private const int DefaultNewTokens = 128;
    private readonly ModelOptions _model = new();
    private readonly PolicyOptions _policy;
    private readonly Option<string?> _prompt = new("--prompt")
    {
        Description = "The prompt; special tokens are recognised, none is added.",
    };
    private readonly Option<string?> _promptFile = new("--prompt-file") { Description = "File with the prompt." };
    private readonly Option<string?> _ids = new("--ids") { Description = "JSON file with the prompt's token ids." };
    private readonly Setting<int?> _newTokens = new(
        "--max-new-tokens",
        $"Longest answer [default: {DefaultNewTokens}, or what fits the model's context].",
        text =>
            int.TryParse(text, out var count) && count > 0 ? count : throw new InputException($"\"{text}\" is not a number of 1 or more.")
    );

    public GenerateCommand()
        : base("generate", "Answer one prompt on an evicted cache.")
    {
        _policy = new PolicyOptions(this, "full");
        AddAll([.. _model.WithPolicies.Take(1), _prompt, _promptFile, _ids, .. _policy.All, _newTokens, .. _model.WithPolicies.Skip(1)]);
        Option[] sources = [_prompt, _promptFile, _ids];
        Validators.Add(result =>
        {
            if (sources.Count(source => result.GetResult(source) is not null) != 1)
                result.AddError("give the prompt by exactly one of --prompt, --prompt-file and --ids.");
        });
    }

    protected override Outcome Run(Call call)
    {
        var tokenizer = call.Value(_ids) is null ? _model.Tokenizer(call) : _model.TokenizerIfAny(call);
        using var decoder = _model.Decoder(call);
        var (prompt, room) = Prompt(call, decoder, tokenizer);
        var policy = _policy.Policy(call, _model, decoder);
        using var scope = NewDisposeScope();
        WarmUp(decoder, prompt);
        using var session = Session.Start(decoder, prompt, policy, room, call.Cancellation);
        var (ids, milliseconds) = Answer(session, room, call.Cancellation);
        var text = tokenizer?.Decode(ids, skipSpecial: true);
        var report = session.Report;
        call.Screen.Line(text ?? string.Join(' ', ids));
        call.Screen.Line(
            Units.Format(
                $"[{policy.Name}: kept {report.KeptTokens:0.#} of {report.PromptTokens} tokens, cache {Units.Bytes(report.CacheBytes)}, "
            )
                + Units.Format($"first token {report.Elapsed.TotalMilliseconds:0} ms")
                + (milliseconds is { } each ? Units.Format($", then {each:0.0} ms/token]") : "]")
        );
        return new Outcome(
            _model.Run(call, decoder),
            new
            {
                policy = policy.Name,
                budget = policy.Budget?.ToString(),
                text,
                ids,
                report.PromptTokens,
                report.KeptTokens,
                report.CacheBytes,
                ttftMs = report.Elapsed.TotalMilliseconds,
                msPerToken = milliseconds,
            }
        );
    }

    private (int[] Ids, int Room) Prompt(Call call, Decoder decoder, Tokenizer? tokenizer)
    {
        var (source, ids) =
            call.Value(_ids) is { } idsFile ? (idsFile, JsonFiles.Ids(idsFile))
            : call.Value(_promptFile) is { } file ? (file, tokenizer!.Encode(JsonFiles.Text(file)))
            : ("--prompt", tokenizer!.Encode(call.Value(_prompt)!));
        var asked = call.Value(_newTokens);
        InputFile.Checked(source, ids, decoder, asked ?? 1);
        return (ids, asked ?? Math.Min(DefaultNewTokens, decoder.Config.MaxPositions - ids.Length));
    }

    // The first pass of a process compiles operators, which would count as time to the first token.
    private static void WarmUp(Decoder decoder, int[] prompt)
    {
        const int Tokens = 8;
        using var session = Session.Start(decoder, [.. prompt.Take(Tokens)], Policies.Full, reserve: 1);
        if (session.Cache.LogicalLength < decoder.Config.MaxPositions)
            session.Append([prompt[0]]).Dispose();
    }

    /// <summary>The answer, and milliseconds for each token after the first.</summary>
    private static (int[] Ids, double? MillisecondsPerToken) Answer(Session session, int room, CancellationToken cancellation)
    {
        var ids = new List<int>();
        var clock = new Stopwatch();
        foreach (var id in session.Generate(room, cancellation))
        {
            ids.Add(id);
            clock.Start(); // the first token is there already
        }
        return ([.. ids], ids.Count > 1 ? clock.Elapsed.TotalMilliseconds / (ids.Count - 1) : null);
    }
}
