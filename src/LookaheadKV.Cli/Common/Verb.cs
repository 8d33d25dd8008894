using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation;

namespace LookaheadKV.Cli.Common;

/// <summary>One call of a verb: its arguments, where it writes, when it shall stop.</summary>
internal sealed record Call(ParseResult Arguments, Screen Screen, CancellationToken Cancellation)
{
    public T Value<T>(Option<T> option) => Arguments.GetValue(option)!;

    public T Value<T>(Setting<T> setting) => setting.Read(Arguments)!;

    /// <summary>The command line, as one could type it again.</summary>
    public string CommandLine => string.Join(' ', Arguments.Tokens.Select(token => Quoted(token.Value)).Prepend("lookahead"));

    private static string Quoted(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "-_./,:=%+@".Contains(c))
            ? text
            : $"'{text.Replace("'", "'\\''")}'";
}

/// <summary>What a verb found.</summary>
/// <param name="Run">What made it.</param>
/// <param name="Numbers">The numbers that <c>--json</c> writes beside the run.</param>
/// <param name="ExitCode">One of <see cref="Common.ExitCode"/>.</param>
internal sealed record Outcome(RunInfo Run, object Numbers, int ExitCode = ExitCode.Done);

/// <summary>A verb of the command, with the option that all share: <c>--json</c>.</summary>
internal abstract class Verb : Command
{
    private readonly Option<string?> _json = new("--json")
    {
        Description = "Write the numbers to this JSON file too, with version, commit, seed, device and command line.",
    };

    protected Verb(string name, string description)
        : base(name, description)
    {
        SetAction((arguments, cancellation) => Task.Run(() => Execute(arguments, cancellation), cancellation));
    }

    protected abstract Outcome Run(Call call);

    /// <summary>Adds options, and <c>--json</c> last.</summary>
    protected void AddAll(params IEnumerable<Option> options)
    {
        foreach (var option in options.Append(_json))
            Add(option);
    }

    private int Execute(ParseResult arguments, CancellationToken cancellation)
    {
        var json = arguments.GetValue(_json);
        if (json is not null)
            AtomicFile.Probe(json);
        var outcome = Run(new Call(arguments, new Screen(arguments.InvocationConfiguration.Output), cancellation));
        if (json is not null)
            WriteJson(json, outcome);
        return outcome.ExitCode;
    }

    private static void WriteJson(string path, Outcome outcome)
    {
        var content = new JsonObject { ["run"] = JsonSerializer.SerializeToNode(outcome.Run, JsonFiles.Options) };
        foreach (var (key, value) in JsonSerializer.SerializeToNode(outcome.Numbers, JsonFiles.Options)!.AsObject())
            content[key] = value?.DeepClone();
        AtomicFile.WriteText(path, content.ToJsonString(JsonFiles.Indented) + "\n");
    }
}
