using System.CommandLine;
using LookaheadKV.Cli;
using LookaheadKV.Cli.Common;
using LookaheadKV.Models;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>Whatever verb and option: a value that is not there, empty, given twice or no value at all is a usage error in one line.</summary>
public class OptionLawTests
{
    public static TheoryData<string> Verbs => [.. EntryPoint.Root().Subcommands.Select(verb => verb.Name)];

    private static Command Named(string verb) => EntryPoint.Root().Subcommands.Single(command => command.Name == verb);

    private static IEnumerable<Option> Options(string verb) => Named(verb).Options.Where(option => option.Name != "--help");

    private static IEnumerable<Option> WithValue(string verb) => Options(verb).Where(option => option.Arity.MinimumNumberOfValues > 0);

    // What is read as more than a text: numbers, names, lists.
    private static bool IsRead(Option option) =>
        option is not Output
        && (
            option.ValueType != typeof(string) && option.ValueType != typeof(string[])
            || option.GetType().GetGenericTypeDefinition() == typeof(Setting<>)
        );

    /// <summary>The verb with what it needs beside an option.</summary>
    private static IEnumerable<string> Beside(string verb, string option) =>
        Options(verb)
            .Where(other => other.Required && other.Name != option)
            .SelectMany(other => new[] { other.Name, other.Name == "--shape" ? ModelShapes.All.Keys.First() : "x" })
            .Concat(Named(verb).Arguments.Select(_ => "x"))
            .Prepend(verb);

    /// <summary>The verb, with what it needs beside the option, and these arguments: refused in one line that names the option.</summary>
    private static async Task Refused(string verb, string option, params string[] last)
    {
        string[] arguments = [.. Beside(verb, option), .. last];
        var error = new StringWriter();
        // Cancelled before it starts: what is not refused is told, and not run.
        var code = await EntryPoint.RunAsync(arguments, TextWriter.Null, error, new CancellationToken(canceled: true));
        var text = error.ToString();
        Assert.True(code == ExitCode.Usage, $"{string.Join(' ', arguments)}: exit {code}: {text}");
        Assert.Single(text.Trim().Split('\n'));
        Assert.DoesNotContain("Exception", text);
        Assert.Contains(option, text);
    }

    [Theory, MemberData(nameof(Verbs))]
    public async Task An_option_without_its_value(string verb)
    {
        foreach (var option in WithValue(verb).Select(option => option.Name))
        {
            await Refused(verb, option, option);
            await Refused(verb, option, option, "--");
            await Refused(verb, option, option, option);
            foreach (var other in Options(verb).Where(other => other.Name != option))
            {
                await Refused(verb, option, option, other.Name);
                await Refused(verb, "", other.Name, "1", option); // either may be named
            }
        }
    }

    [Theory, MemberData(nameof(Verbs))]
    public async Task An_empty_value(string verb)
    {
        foreach (var option in WithValue(verb).Select(option => option.Name).Except(["--prompt", "--system"]))
        {
            await Refused(verb, option, option, "");
            await Refused(verb, option, $"{option}=");
        }
    }

    [Theory, MemberData(nameof(Verbs))]
    public async Task A_value_twice(string verb)
    {
        foreach (var option in WithValue(verb).Where(option => option.Arity.MaximumNumberOfValues == 1).Select(option => option.Name))
            await Refused(verb, option, option, "1", option, "1");
    }

    [Theory, MemberData(nameof(Verbs))]
    public async Task A_value_of_no_meaning(string verb)
    {
        // --held-out takes a file too, so that any name may be one.
        foreach (var option in WithValue(verb).Where(IsRead).Select(option => option.Name).Except(["--held-out"]))
        {
            await Refused(verb, option, option, "\u0001?");
            if (option != "--seed")
                await Refused(verb, option, option, "-1");
            await Refused(verb, option, option, "1e400");
        }
    }

    [Theory, MemberData(nameof(Verbs))]
    public Task An_option_that_no_verb_has(string verb) => Refused(verb, "--no-such-option", "--no-such-option");
}
