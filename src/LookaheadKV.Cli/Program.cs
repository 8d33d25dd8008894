using System.CommandLine;
using LookaheadKV;
using LookaheadKV.Cli.Commands;

var root = new RootCommand("KV-cache eviction research: LookaheadKV and its rivals.") { PretrainCommand.Create(), TrainCommand.Create(), ProbeCommand.Create() };
try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (InputException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 1;
}
