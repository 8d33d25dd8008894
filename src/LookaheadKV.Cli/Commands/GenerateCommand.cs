using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
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
        Description =
            "The prompt; special tokens in it are recognised, and the tokenizer's begin token is put before it where its files say so (see also --chat).",
    };
    private readonly Option<string?> _promptFile = new("--prompt-file") { Description = "File with the prompt." };
    private readonly Option<string?> _ids = new("--ids") { Description = "JSON file with the prompt's token ids." };
    private readonly Option<string?> _kept = new("--kept")
    {
        Description = "File of kept positions, as `lookahead keep` writes it, to keep instead of what a policy would.",
    };
    private readonly Setting<int?> _newTokens = new(
        "--max-new-tokens",
        $"Longest answer [default: {DefaultNewTokens}, or what fits the model's context].",
        text =>
            int.TryParse(text, out var count) && count > 0 ? count : throw new InputException($"\"{text}\" is not a number of 1 or more.")
    );

    private readonly Option<bool> _chat = new("--chat")
    {
        Description = "Take the prompt as a question and put the folder's chat template around it.",
    };
    private readonly Option<string?> _system = new("--system") { Description = "System message before the question (implies --chat)." };
    private readonly TemplateOptions _template = new("Chat template to use instead of the model's default (implies --chat)");
    private readonly Setting<double> _temperature = new(
        "--temperature",
        "Temperature to sample at; 0 takes the most likely token.",
        text => Sampled(text, value => new SamplingOptions { Temperature = value }),
        "0"
    );
    private readonly Setting<int?> _topK = new(
        "--top-k",
        "Sample from the k most likely tokens.",
        text => (int)Sampled(text, value => new SamplingOptions { TopK = (int)value }, NumberStyles.Integer)
    );
    private readonly Setting<double?> _topP = new(
        "--top-p",
        "Sample from the fewest tokens that reach this probability together.",
        text => Sampled(text, value => new SamplingOptions { TopP = value })
    );
    private readonly Setting<double?> _minP = new(
        "--min-p",
        "Sample from the tokens that are at least this fraction as likely as the most likely one.",
        text => Sampled(text, value => new SamplingOptions { MinP = value })
    );
    private readonly Setting<double?> _penalty = new(
        "--repetition-penalty",
        "Divide positive logits of tokens that were there before by this number, and multiply the others; 1 leaves them [default: the model's repetition_penalty].",
        text => Sampled(text, value => new SamplingOptions { RepetitionPenalty = value })
    );
    private readonly Option<string[]> _stop = new("--stop")
    {
        Description = "End the answer before this text; may be given several times.",
    };

    public GenerateCommand()
        : base("generate", "Answer one prompt on an evicted cache.")
    {
        _policy = new PolicyOptions(this, EvictionPolicy.Full.Name);
        AddAll([
            .. _model.WithPolicies.Take(1),
            _prompt,
            _promptFile,
            _ids,
            _chat,
            _system,
            .. _template.All,
            .. _policy.All,
            _kept,
            _newTokens,
            _temperature,
            _topK,
            _topP,
            _minP,
            _penalty,
            _stop,
            .. _model.WithPolicies.Skip(1),
        ]);
        AddRule(Contradictions);
    }

    private IEnumerable<string> Contradictions(ParseResult arguments)
    {
        if (new Option[] { _prompt, _promptFile, _ids }.Count(Given) != 1)
            yield return "give the prompt by exactly one of --prompt, --prompt-file and --ids.";
        if (Given(_kept) && _policy.All.FirstOrDefault(Given) is { } policy)
            yield return $"{policy.Name} and --kept both say what to keep; leave one out.";
        if (
            Given(_ids)
            && new Option[] { _chat, _system }
                .Concat(_template.All)
                .FirstOrDefault(Given)
                is { } option
        )
            yield return $"{option.Name} works on a text; give the prompt by --prompt or --prompt-file.";
        if (
            arguments.GetValue(_template.Template) == TemplateOptions.Raw
            && new Option[] { _chat, _system }.FirstOrDefault(Given) is { } contrary
        )
            yield return $"{contrary.Name} and --template {TemplateOptions.Raw} are contrary; leave one out.";
        if (_temperature.Read(arguments) == 0 && new Option[] { _topK, _topP, _minP }.FirstOrDefault(Given) is { } filter)
            yield return $"{filter.Name} filters what is sampled; give a --temperature above 0 too.";

        bool Given(Option option) => IsGiven(arguments, option);
    }

    protected override Outcome Run(Call call)
    {
        var tokenizer = call.Value(_ids) is null ? _model.Tokenizer(call) : _model.TokenizerIfAny(call);
        var stops = call.Value(_stop) ?? [];
        if (tokenizer is null && stops.Length > 0)
            throw new InputException($"--stop is a text, and {_model.Folder(call)} has no tokenizer; leave it out.");
        var template = Template(call);
        var asked = GenerationSettings.Of(_model.Folder(call));
        Tell(call, asked);
        using var decoder = _model.Decoder(call);
        var (prompt, room) = Prompt(call, decoder, tokenizer, template);
        using var scope = NewDisposeScope();
        Hint(call);
        WarmUp(decoder, prompt, _model.Execution(call));
        var watch = call.Watch.Value;
        var (session, name, budget) = Start(call, decoder, prompt, room);
        watch.PromptDone();
        using var ended = session;
        var ids = new List<int>();
        var clock = new Stopwatch();
        var tokens = session.Sample(decoder.Config, Drawing(call, asked), room, Ends(tokenizer, template), call.Cancellation).Select(Noted);
        var text = Answer(call.Screen, tokens, tokenizer, stops);
        double? milliseconds = ids.Count > 1 ? clock.Elapsed.TotalMilliseconds / (ids.Count - 1) : null;
        var report = session.Report;
        call.Screen.Line(
            Units.Format($"[{name}: kept {report.KeptTokens:0.#} of {report.PromptTokens} tokens, cache {Units.Bytes(report.CacheBytes)}, ")
                + Units.Format($"first token {report.Elapsed.TotalMilliseconds:0} ms")
                + (milliseconds is { } each ? Units.Format($", then {each:0.0} ms/token]") : "]")
        );
        return new Outcome(
            _model.Run(call, decoder),
            new
            {
                policy = name,
                budget,
                text,
                ids,
                report.PromptTokens,
                report.KeptTokens,
                report.CacheBytes,
                ttftMs = report.Elapsed.TotalMilliseconds,
                msPerToken = milliseconds,
            }
        );

        int Noted(int id)
        {
            ids.Add(id);
            clock.Start(); // the first token is there already
            return id;
        }
    }

    private (Session Session, string Policy, string? Budget) Start(Call call, Decoder decoder, int[] prompt, int room)
    {
        if (call.Value(_kept) is { } file)
        {
            var kept = KeptPositions.Load(file);
            var replayed = InputFile.Named(
                file,
                () => Session.Replay(decoder, prompt, kept, room, call.Cancellation, _model.Execution(call))
            );
            return (replayed, kept.Policy, kept.Budget);
        }
        var policy = _policy.Policy(call, _model, decoder);
        return (
            Session.Start(decoder, prompt, policy, room, call.Cancellation, _model.Execution(call)),
            policy.Name,
            policy.Budget?.ToString()
        );
    }

    private ChatTemplate? Template(Call call)
    {
        var model = _model.Folder(call);
        var chats =
            call.Value(_chat)
            || call.Value(_system) is not null
            || _template.All.Any(option => call.Arguments.GetResult(option) is not null);
        return _template.Read(call, model, () => chats ? ChatTemplate.Of(model) : null);
    }

    // Greedy is the default here, whatever the files say of sampling: what is compared must not depend on luck.
    private void Tell(Call call, GenerationSettings asked)
    {
        (Option Option, string[] Keys)[] options =
        [
            (_temperature, [GenerationSettings.SampleKey, "temperature"]),
            (_topK, ["top_k"]),
            (_topP, ["top_p"]),
            (_minP, ["min_p"]),
            (_newTokens, ["max_new_tokens"]),
            (_stop, ["stop_strings"]),
            (_penalty, [GenerationSettings.RepetitionPenaltyKey]),
        ];
        ModelOptions.Tell(
            call,
            asked,
            call.Value(_temperature) == 0 ? "the most likely token is taken (see --temperature)" : "tokens are drawn as the options say",
            [GenerationSettings.RepetitionPenaltyKey],
            [.. options.Where(option => IsGiven(call.Arguments, option.Option)).SelectMany(option => option.Keys)]
        );
    }

    private SamplingOptions Drawing(Call call, GenerationSettings asked) =>
        new()
        {
            Temperature = call.Value(_temperature),
            TopK = call.Value(_topK),
            TopP = call.Value(_topP) ?? 1,
            MinP = call.Value(_minP) ?? 0,
            RepetitionPenalty = call.Value(_penalty) ?? asked.RepetitionPenalty,
            Seed = call.Value(_model.Seed),
        };

    // Beside those that the model's folder names.
    private static IEnumerable<int> Ends(Tokenizer? tokenizer, ChatTemplate? template) =>
        tokenizer is not null && template?.EndToken(tokenizer) is { } id ? [id] : [];

    private (int[] Ids, int Room) Prompt(Call call, Decoder decoder, Tokenizer? tokenizer, ChatTemplate? template)
    {
        var (source, ids) =
            call.Value(_ids) is { } idsFile ? (idsFile, JsonFiles.Ids(idsFile))
            : call.Value(_promptFile) is { } file ? (file, Encoded(JsonFiles.Text(file)))
            : ("--prompt", Encoded(call.Value(_prompt)!));
        var asked = call.Value(_newTokens);
        InputFile.Checked(source, ids, decoder, asked ?? 1);
        return (ids, asked ?? DecodingLoop.Limit(DefaultNewTokens, decoder.Config.MaxPositions, ids.Length));

        int[] Encoded(string question) =>
            template is null ? tokenizer!.EncodePrompt(question)
            : call.Value(_system) is { } system
                ? tokenizer!.Encode(template.Render([ChatMessage.System(system), ChatMessage.User(question)]))
            : tokenizer!.Encode(template.Render([ChatMessage.User(question)]));
    }

    // The shipped model answers everything, and what it says of another world than its own means nothing.
    private void Hint(Call call)
    {
        const int Named = 5;
        var text = call.Value(_promptFile) is { } file ? JsonFiles.Text(file) : call.Value(_prompt);
        if (
            text is null
            || call.Value(_model.Model) != ModelFolders.Nano
            || SyntheticWorld.UnknownWords(text) is not { Count: > 0 } unknown
        )
            return;
        call.Screen.Line(
            $"hint: {ModelFolders.Nano} knows a synthetic world alone, and in it no {string.Join(", ", unknown.Take(Named))}{(unknown.Count > Named ? ", …" : "")}: "
                + "what follows means nothing. `lookahead tasks --samples 1 --out -` shows what it can be asked; for English, give --model a language model."
        );
    }

    // The first pass of a process compiles operators, which would count as time to the first token.
    private static void WarmUp(Decoder decoder, int[] prompt, Execution? execution)
    {
        const int Tokens = 8;
        using var session = Session.Start(decoder, [.. prompt.Take(Tokens)], EvictionPolicy.Full, reserve: 1, execution: execution);
        if (session.Cache.LogicalLength < decoder.Config.MaxPositions)
            session.Append([prompt[0]]).Dispose();
    }

    /// <summary>Shows the answer as it comes; its text, or null without a tokenizer.</summary>
    private static string? Answer(Screen screen, IEnumerable<int> tokens, Tokenizer? tokenizer, string[] stops)
    {
        if (tokenizer is null)
        {
            screen.Line(string.Join(' ', tokens));
            return null;
        }

        var text = new List<string>();
        foreach (var piece in tokens.Text(tokenizer, stops))
        {
            text.Add(piece);
            screen.Write(piece);
        }

        screen.Line();
        return string.Concat(text);
    }

    /// <summary>A number of a sampling option, in the range that the sampler takes.</summary>
    private static double Sampled(string text, Func<double, SamplingOptions> option, NumberStyles style = NumberStyles.Float)
    {
        if (!double.TryParse(text, style, CultureInfo.InvariantCulture, out var value))
            throw new InputException($"\"{text}\" is not a {(style == NumberStyles.Integer ? "whole number" : "number")}.");
        option(value); // refuses it
        return value;
    }
}
