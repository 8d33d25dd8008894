using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using System.Text.Json.Nodes;
using LookaheadKV.Evaluation;
using LookaheadKV.Runtime;

namespace LookaheadKV.Cli.Common;

/// <summary>One call of a verb.</summary>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Screen">Where it shows what it does.</param>
/// <param name="Watch">Counts prompts, and says if the first ones lack processors.</param>
/// <param name="Cancellation">When it shall stop.</param>
internal sealed record Call(ParseResult Arguments, Screen Screen, Lazy<ThreadWatch> Watch, CancellationToken Cancellation)
{
    public T Value<T>(Option<T> option) => Arguments.GetValue(option)!;

    public T Value<T>(Setting<T> setting) => setting.Read(Arguments)!;

    /// <summary>Name of the verb.</summary>
    public string Verb => Arguments.CommandResult.Command.Name;

    /// <summary>Whether what lies at the places of outputs may be replaced, whatever it is.</summary>
    public bool Overwrites => Arguments.GetValue<bool>(Output.Overwrite);

    /// <summary>The command line, as one could type it again.</summary>
    public string CommandLine => Line(Arguments.Tokens.Select(token => token.Value));

    /// <summary>The command line that goes on where this one stopped: it begins nothing anew.</summary>
    public string GoOn =>
        Line(Arguments.Tokens.Select(token => token.Value).Where(text => text is not (Output.Overwrite or Common.Verb.Restart)));

    private static string Line(IEnumerable<string> tokens) => string.Join(' ', tokens.Select(Quoted).Prepend("lookahead"));

    private static string Quoted(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "-_./,:=%+@".Contains(c))
            ? text
            : $"'{text.Replace("'", "'\\''")}'";
}

/// <summary>What a verb found.</summary>
/// <param name="Run">What made it.</param>
/// <param name="Numbers">The numbers that <c>--json</c> writes beside the run.</param>
/// <param name="ExitCode">One of <see cref="Common.ExitCode"/>.</param>
/// <param name="Complete">Of a verb that may stop and go on, whether it is done; null of others.</param>
internal sealed record Outcome(RunInfo Run, object Numbers, int ExitCode = ExitCode.Done, bool? Complete = null)
{
    /// <summary>What is done when the numbers are written: partial results are needed no longer.</summary>
    public Action Written { get; init; } = static () => { };
}

/// <summary>A verb of the command, with the options that all share: <c>--json</c> and <c>--overwrite</c>.</summary>
internal abstract class Verb : Command
{
    /// <summary>Name of the option of verbs that go on where they stopped, which begins anew.</summary>
    public const string Restart = "--restart";

    // What a model is told may be nothing: a system message, say, so that none of the template's own is put in.
    private static readonly string[] MayBeEmpty = ["--prompt", "--system"];

    private const string Complete = "complete";
    private readonly Output _json;
    private readonly Option<bool> _overwrite = new(Output.Overwrite)
    {
        Description = "Replace what lies at the places of outputs, whatever it is but a model [default: only what this verb wrote].",
    };

    private readonly Setting<int?> _threads = Parsed.CountIfGiven(
        "--threads",
        "Threads on the CPU [default: as many as find a processor, by affinity, limit and load; or what OMP_NUM_THREADS says]."
    );
    private readonly List<Func<ParseResult, IEnumerable<string>>> _rules = [];

    protected Verb(string name, string description)
        : base(name, description)
    {
        _json = Output.File(
            "--json",
            "Write the numbers to this JSON file too, with version, commit, seed, device and command line.",
            path => OwnFiles.IsResultOf(name, path)
        );
        SetAction((arguments, cancellation) => Task.Run(() => Execute(arguments, cancellation), CancellationToken.None));
        Validators.Add(result =>
        {
            // The tokens, for an option without its value has no value to get.
            string? Given(Option option) => result.GetResult(option)?.Tokens is [var token] ? token.Value : null;
            if (Options.OfType<Output>().Count(option => Given(option) == Output.Standard) > 1)
                result.AddError("--json and --out cannot both be standard output; name a file for one of them.");
        });
    }

    /// <summary>What the process's threads did so far; null where nobody looks.</summary>
    public Func<ThreadTimes?> ThreadClock { get; set; } = static () => null;

    /// <summary>Adds a rule between options: what it names is a usage error. Rules are asked only where every option is sound by itself.</summary>
    public void AddRule(Func<ParseResult, IEnumerable<string>> contradictions) => _rules.Add(contradictions);

    /// <summary>The first thing that options contradict each other in, or null.</summary>
    public string? Contradiction(ParseResult arguments) => _rules.SelectMany(rule => rule(arguments)).FirstOrDefault();

    protected abstract Outcome Run(Call call);

    /// <summary>Whether it computes with tensors; a verb that does not starts without libtorch.</summary>
    protected virtual bool UsesTensors => true;

    /// <summary>What is said when a call was cancelled: what is left, and how to go on.</summary>
    protected virtual string WhenCancelled(Call call) => "nothing is kept.";

    /// <summary>What <see cref="WhenCancelled"/> says where the same command goes on.</summary>
    protected static string GoesOn(Call call) => $"go on with: {call.GoOn}";

    /// <summary>Where <c>--json</c> writes; null where it is not given.</summary>
    protected string? JsonPath(Call call) => _json.PathIfAny(call);

    /// <summary>The same, but for standard output.</summary>
    protected string? JsonFile(Call call) => _json.IsStandard(call.Arguments) ? null : JsonPath(call);

    /// <summary>Says in the file of <c>--json</c> that the result is not complete; a complete one that is there stays until then.</summary>
    /// <param name="call">The call.</param>
    /// <param name="run">What is at work.</param>
    /// <param name="numbers">What is known so far.</param>
    /// <param name="anew">Whether a complete one is given up.</param>
    protected void WriteIncomplete(Call call, RunInfo run, object numbers, bool anew = false)
    {
        if (JsonFile(call) is not { } path || (!anew && IsComplete(path)))
            return;
        WriteJson(call, new Outcome(run, numbers, Complete: false));
    }

    /// <summary>Whether an option is on the command line.</summary>
    protected static bool IsGiven(ParseResult arguments, Option option) => arguments.GetResult(option) is { Implicit: false };

    /// <summary>Adds options, and those that all verbs share last.</summary>
    protected void AddAll(params IEnumerable<Option> options)
    {
        foreach (var option in options.Concat([_threads, _json, _overwrite]))
        {
            option.Validators.Add(RefuseNothing);
            Add(option);
        }
    }

    // Where a script's variable is not set, its option has an empty text, or the option behind it, for a value.
    private void RefuseNothing(OptionResult result)
    {
        var name = result.Option.Name;
        if (result.Tokens.Any(token => token.Value == "") && !MayBeEmpty.Contains(name))
            result.AddError($"{name}: the text is empty; give a value, or leave the option out.");
        var isWithout = result.IdentifierTokenCount > result.Tokens.Count && result.Option.Arity.MinimumNumberOfValues > 0;
        if (isWithout || result.Tokens.Any(token => Options.Any(option => option.Name == token.Value)))
            result.AddError($"Required argument missing for option: '{name}'.");
    }

    // Files of versions before the member was written are complete.
    private bool IsComplete(string path) =>
        File.Exists(path) && OwnFiles.IsResultOf(Name, path) && OwnFiles.Member(path, Complete) is not { ValueKind: JsonValueKind.False };

    private int Execute(ParseResult arguments, CancellationToken cancellation)
    {
        var (streams, isTaken) = (arguments.InvocationConfiguration, Options.OfType<Output>().Any(output => output.IsStandard(arguments)));
        var screen = new Screen(isTaken ? streams.Error : streams.Output);
        var asked = _threads.Read(arguments);
        var threads = UsesTensors ? StartTensors(asked) : 0;
        var watch = new Lazy<ThreadWatch>(() => new ThreadWatch(ThreadClock, threads, text => screen.Note($"warning: {text}")));
        var call = new Call(arguments, screen, watch, cancellation);
        try
        {
            Look(call);
            var outcome = Run(call);
            if (watch.IsValueCreated)
                watch.Value.Judge();
            if (JsonPath(call) is not null)
                WriteJson(call, outcome);
            outcome.Written();
            return outcome.ExitCode;
        }
        catch (OperationCanceledException e)
        {
            throw new OperationCanceledException($"cancelled; {WhenCancelled(call)}", e);
        }
    }

    private static int StartTensors(int? threads)
    {
        NativeLibraries.Load();
        return Threads.Use(threads);
    }

    // Whatever a verb writes, what lies there is looked at before it does anything else.
    private void Look(Call call)
    {
        Output[] outputs = [.. Options.OfType<Output>()];
        foreach (var output in outputs)
            output.Look(call);
        var places = outputs
            .Where(output => output.PathIfAny(call) is not null && !output.IsStandard(call.Arguments))
            .GroupBy(output => Path.GetFullPath(output.Path(call)));
        if (places.FirstOrDefault(place => place.Count() > 1) is { } twice)
            throw new UsageException($"{string.Join(" and ", twice.Select(output => output.Name))} name the same place, {twice.Key}.");
    }

    private void WriteJson(Call call, Outcome outcome)
    {
        var content = new JsonObject { ["run"] = JsonSerializer.SerializeToNode(outcome.Run, JsonFiles.Options) };
        if (outcome.Complete is { } complete)
            content[Complete] = complete;
        foreach (var (key, value) in JsonSerializer.SerializeToNode(outcome.Numbers, JsonFiles.Options)!.AsObject())
            content[key] = value?.DeepClone();
        _json.WriteText(call, content.ToJsonString(JsonFiles.Indented) + "\n");
    }
}
