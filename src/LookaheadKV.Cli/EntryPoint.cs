using System.CommandLine;
using LookaheadKV.Cli.Commands;
using LookaheadKV.Cli.Common;
using LookaheadKV.Files;
using LookaheadKV.Runtime;

namespace LookaheadKV.Cli;

/// <summary>The command from arguments to exit code; tests run it in process.</summary>
internal static class EntryPoint
{
    // A cancelled training writes its checkpoint before it ends.
    private static readonly TimeSpan TimeToStop = TimeSpan.FromMinutes(2);

    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments,
        TextWriter output,
        TextWriter error,
        CancellationToken cancellation = default,
        Func<ThreadTimes?>? threadClock = null
    )
    {
        var root = Root();
        foreach (var verb in root.Subcommands.OfType<Verb>())
            verb.ThreadClock = threadClock ?? verb.ThreadClock;
        // A prompt may begin with "@": no response files.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (UsageProblem(parsed) is { } problem)
        {
            var command = parsed.CommandResult.Command;
            var help = command is RootCommand ? "lookahead --help" : $"lookahead {command.Name} --help";
            await error.WriteLineAsync($"{OneLine(problem)} See {help}.");
            return ExitCode.Usage;
        }
        try
        {
            var configuration = new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeToStop,
            };
            return await parsed.InvokeAsync(configuration, cancellation);
        }
        catch (UsageException e)
        {
            await error.WriteLineAsync($"{OneLine(e.Message)} See lookahead {parsed.CommandResult.Command.Name} --help.");
            return ExitCode.Usage;
        }
        catch (OperationCanceledException e)
        {
            await error.WriteLineAsync(e.Message);
            return ExitCode.Cancelled;
        }
        catch (Exception e)
        {
            // A type initialiser wraps what went wrong in loading libtorch.
            var cause = e is TypeInitializationException ? e.GetBaseException() : e;
            await error.WriteLineAsync(
                cause is InputException ? OneLine(cause.Message)
                // Files are told by their readers and writers.
                : Writing.IsRefusal(cause)
                    ? $"cannot write to standard output, or read or write a file ({FirstLine(cause.Message)}); send it where there is room."
                : $"{cause.GetType().Name}: {FirstLine(cause.Message)}"
            );
        }
        return ExitCode.Failed;
    }

    /// <summary>All verbs with their options.</summary>
    internal static RootCommand Root() =>
        new("KV-cache eviction research: LookaheadKV and its rivals.")
        {
            new CompareCommand(),
            new GenerateCommand(),
            new LogitsCommand(),
            new KeepCommand(),
            new ImportanceCommand(),
            new TokenizeCommand(),
            new RenderCommand(),
            new TasksCommand(),
            new TrainCommand(),
            new ConvertCommand(),
            new RandomCommand(),
            new PretrainCommand(),
            new BenchCommand(),
            new AblateCommand(),
        };

    private static string? UsageProblem(ParseResult parsed) =>
        parsed.Action is System.CommandLine.Help.HelpAction ? null
        // "foo" is reported as a missing command first.
        : parsed is { Errors.Count: > 0, UnmatchedTokens: [var stray, ..] } ? $"Unrecognized command or option '{stray}'."
        : parsed.Errors.Count > 0 ? parsed.Errors[0].Message
        : (parsed.CommandResult.Command as Verb)?.Contradiction(parsed);

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();

    // libtorch appends its C++ stack to its messages.
    private static string FirstLine(string text) => text.Split('\n')[0].Trim();
}
