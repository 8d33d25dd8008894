using LookaheadKV.Cli;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>
/// What a verb returns does not depend on the verb: 2 where the command line is wrong, whatever the files hold; 1 where a file or model is; 0 when done.
/// Every failure is one line on standard error, and nothing on standard output.
/// </summary>
public sealed class ExitCodeTests : IDisposable
{
    /// <summary>What makes each verb's command line complete; the files that it names are not there.</summary>
    private static readonly Dictionary<string, string> Complete = new()
    {
        ["compare"] = "--model {nowhere}",
        ["generate"] = "--model {nowhere} --ids {ids.json}",
        ["logits"] = "--model {nowhere} --ids {ids.json} --out {out}",
        ["keep"] = "--model {nowhere} --ids {ids.json} --policy random --budget 4 --out {out}",
        ["importance"] = "--model {nowhere} --ids {ids.json} --out {out}",
        ["tokenize"] = "--model {nowhere} --texts {ids.json} --out {out}",
        ["render"] = "--model {nowhere} --messages {ids.json}",
        ["tasks"] = "--model {nowhere} --out {out}",
        ["train"] = "--model {nowhere} --out {out}",
        ["random"] = "--shape llama-3.2-1b --out {ids.json}",
        ["pretrain"] = "--plan {nowhere} --out {out}",
        ["bench"] = "--model {nowhere}",
        ["ablate"] = "--study {nowhere}",
        ["convert"] = "{nowhere} --out {out}",
    };

    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    public static TheoryData<string> Verbs() => [.. EntryPoint.Root().Subcommands.Select(verb => verb.Name)];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task A_wrong_command_line_is_2_for_every_verb(string verb)
    {
        string[] complete = [verb, .. Complete[verb].Split(' ')];
        Assert.Equal("", (await _bench.Run([.. complete, "--nonsense"])).Output);
        await Fails(2, [.. complete, "--nonsense"]);
        await Fails(2, [.. complete, "stray", "strays"]);
        await Fails(2, [.. complete, "--threads", "0"]);
        await Fails(2, [.. complete, "--threads", "many"]);
        await Fails(2, [.. complete, "--json"]);
        foreach (var option in EntryPoint.Root().Subcommands.Single(v => v.Name == verb).Options)
        {
            if (option.Required)
                await Fails(2, Without(complete, option.Name));
            if (option.Name == "--device")
                await Fails(2, [.. complete, "--device", "tpu"]);
            if (
                option.Name is "--seed" or "--samples" or "--length" or "--minutes" or "--runs" or "--steps"
                && option.ValueType != typeof(bool)
            )
                await Fails(2, [.. complete, option.Name, "x"]);
            if (option.Name is "--policies" or "--policy" or "--budgets" or "--dtype" or "--tasks" or "--execution" or "--recipe")
                await Fails(2, [.. Without(complete, option.Name), option.Name, "nothing,such"]);
        }
    }

    [Theory]
    [InlineData("bench --steps")]
    [InlineData("bench --steps --shape llama-3.2-1b --budgets 5%")]
    [InlineData("compare --tasks qa_1")]
    [InlineData("compare --tasks qa_2")]
    [InlineData("train --held-out 5%")]
    [InlineData("train --tokens 513")]
    [InlineData("train --rank 1025")]
    [InlineData("generate --prompt x --ids {ids.json}")]
    [InlineData("keep --ids {ids.json} --policy snapkv --out {out}")]
    public Task Options_that_do_not_go_together_are_2(string line) => Fails(2, line.Split(' '));

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task A_file_that_is_not_there_is_1_for_every_verb(string verb)
    {
        string[] complete = [verb, .. Complete[verb].Split(' ')];
        await Fails(1, complete);
        if (verb != "random")
            await Fails(1, [.. complete, "--json", "{nowhere}/x.json"]);
    }

    /// <summary>A verb that is added falls under these laws, or this fails.</summary>
    [Fact]
    public void Every_verb_is_tried() =>
        Assert.Equal(EntryPoint.Root().Subcommands.Select(verb => verb.Name).Order(), Complete.Keys.Order());

    private async Task Fails(int code, params string[] arguments)
    {
        var before = _bench.Files.ToList();
        var ran = await _bench.Run([.. arguments.Select(Filled)]);
        Assert.True(code == ran.ExitCode, $"{string.Join(' ', arguments)}: {ran.ExitCode}, {ran.Error}");
        Assert.True(ran.Error.TrimEnd().Split('\n').Length == 1, ran.Error);
        Assert.Equal(before, _bench.Files);
    }

    private string Filled(string argument) => argument.Replace("{nowhere}", _bench["nowhere"]);

    private static string[] Without(string[] arguments, string option)
    {
        var at = Array.IndexOf(arguments, option);
        return at < 0 ? arguments : [.. arguments[..at], .. arguments[(at + 2)..]];
    }
}
