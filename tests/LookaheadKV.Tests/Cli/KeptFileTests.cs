using System.Text.Json;
using LookaheadKV.Eviction;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>Kept sets as files: <c>keep --blocks</c>, <c>keep --diff</c>, <c>generate --kept</c>.</summary>
public sealed class KeptFileTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    private async Task<Ran> Succeeds(string verb, params string[] arguments)
    {
        var ran = await _bench.RunOnModel(verb, arguments);
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        return ran;
    }

    private async Task Fails(int exitCode, string part, string verb, params string[] arguments)
    {
        var before = _bench.Files.ToList();
        var ran = await _bench.RunOnModel(verb, arguments);
        Assert.Equal(exitCode, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.Equal(before, _bench.Files);
    }

    private Task<Ran> Keep(string policy, string budget, string file, params string[] more) =>
        Succeeds("keep", ["--ids", "{ids.json}", "--policy", policy, "--budget", budget, "--out", file, .. more]);

    [Theory]
    [InlineData("streaming[sinks=1]", "5")]
    [InlineData("keydiff[layers=global]", "5")] // ragged
    public async Task An_answer_on_a_file_of_kept_positions_is_that_of_the_policy(string policy, string budget)
    {
        await Keep(policy, budget, "{kept.json}");
        string[] fixedArguments = ["--ids", "{ids.json}", "--max-new-tokens", "6"];
        await Succeeds("generate", [.. fixedArguments, "--policy", policy, "--budget", budget, "--json", "{own.json}"]);
        await Succeeds("generate", [.. fixedArguments, "--kept", "{kept.json}", "--json", "{replayed.json}"]);
        var (own, replayed) = (_bench.Json("own.json"), _bench.Json("replayed.json"));
        foreach (var field in new[] { "policy", "budget", "ids", "promptTokens", "keptTokens", "cacheBytes" })
            Assert.Equal(own.GetProperty(field).GetRawText(), replayed.GetProperty(field).GetRawText());
        Assert.Equal(policy, replayed.GetProperty("policy").GetString());
    }

    [Fact]
    public async Task Other_positions_give_what_they_say()
    {
        // Every head keeps its own three positions: nothing that a policy would.
        _bench.Write("mine.json", """{"policy": "mine", "length": 20, "layers": [[[0, 5, 19], [1, 2, 3]], [[7, 8, 9], [17, 18, 19]]]}""");
        await Succeeds("generate", "--ids", "{ids.json}", "--max-new-tokens", "2", "--kept", "{mine.json}", "--json", "{answer.json}");
        var answer = _bench.Json("answer.json");
        Assert.Equal("mine", answer.GetProperty("policy").GetString());
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("budget").ValueKind);
        Assert.Equal(3, answer.GetProperty("keptTokens").GetDouble());
        Assert.Equal(2L * 2 * 2 * 3 * 8 * 4, answer.GetProperty("cacheBytes").GetInt64());
    }

    [Fact]
    public async Task A_file_of_kept_positions_that_does_not_fit_is_named()
    {
        Task Refused(string part) => Fails(1, part, "generate", "--ids", "{ids.json}", "--kept", "{kept.json}", "--json", "{answer.json}");
        await Refused("kept.json: no such file");
        var path = _bench.Write("kept.json", """{"policy": "mine", "length": 19, "layers": [[[0], [1]], [[2], [3]]]}""");
        await Refused($"{path}: the kept positions are of a prompt of 19 tokens, this one has 20");
        _bench.Write("kept.json", """{"policy": "mine", "length": 20, "layers": [[[0], [1]]]}""");
        await Refused($"{path}: the kept positions are of 1 layers of 2 kv heads, the model has 2 of 2");
        _bench.Write("kept.json", """{"policy": "mine", "length": 20, "layers": [[[0], [20]], [[2], [3]]]}""");
        await Refused($"{path}: layer 0, head 1: position 20");
    }

    [Fact]
    public Task A_policy_and_a_file_of_kept_positions_exclude_each_other() =>
        Fails(2, "--policy and --kept both say what to keep", "generate", "--ids", "{ids.json}", "--kept", "{k}", "--policy", "full");

    [Fact]
    public async Task Blocks_are_written_whole()
    {
        await Keep("streaming[sinks=1]", "3", "{kept.json}");
        await Keep("streaming[sinks=1]", "3", "{blocks.json}", "--blocks", "8");
        var (kept, blocks) = (KeptPositions.Load(_bench["kept.json"]), KeptPositions.Load(_bench["blocks.json"]));
        Assert.All(kept.Layers.SelectMany(heads => heads), head => Assert.Equal([0, 18, 19], head));
        Assert.All(blocks.Layers.SelectMany(heads => heads), head => Assert.Equal([0L, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19], head));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("many")]
    public Task Blocks_hold_a_position_or_more(string size) =>
        Fails(
            2,
            $"--blocks: \"{size}\" is not a number of 1 or more",
            "keep",
            ["--ids", "{ids.json}", "--policy", "random", "--budget", "4", "--out", "{o}", "--blocks", size]
        );

    [Fact]
    public async Task Two_sets_are_compared_head_by_head()
    {
        _bench.Write("a.json", """{"policy": "left", "length": 20, "layers": [[[0, 5, 19], [1, 2, 3]], [[7, 8, 9], []]]}""");
        _bench.Write("b.json", """{"policy": "right", "length": 20, "layers": [[[0, 5, 19], [3, 4]], [[1], []]]}""");
        var ran = await Succeeds("keep", "--diff", "{a.json}", "{b.json}", "--json", "{diff.json}");
        var diff = _bench.Json("diff.json");
        Assert.Equal((1 + 0.25 + 0 + 1) / 4, diff.GetProperty("jaccard").GetDouble(), 9);
        var heads = diff.GetProperty("differences").EnumerateArray().ToList();
        Assert.Equal([3, 1, 0, 0], heads.Select(head => head.GetProperty("shared").GetInt32()));
        Assert.Equal(["[]", "[1,2]", "[7,8,9]", "[]"], heads.Select(head => Compact(head.GetProperty("onlyLeft"))));
        Assert.Equal(["[]", "[4]", "[1]", "[]"], heads.Select(head => Compact(head.GetProperty("onlyRight"))));
        Assert.Contains("only left", ran.Output);
        Assert.Contains("share 0.563 of what either keeps", ran.Output);

        static string Compact(JsonElement array) => JsonSerializer.Serialize(array);
    }

    [Fact]
    public async Task Sets_that_cannot_be_compared_are_refused()
    {
        _bench.Write("a.json", """{"policy": "left", "length": 20, "layers": [[[0]]]}""");
        _bench.Write("b.json", """{"policy": "right", "length": 21, "layers": [[[0]]]}""");
        await Fails(1, "cannot be compared: 20 tokens in 1 layers, and 21 in 1", "keep", "--diff", "{a.json}", "{b.json}");
        await Fails(1, "c.json: no such file", "keep", "--diff", "{a.json}", "{c.json}");
        await Fails(2, "--diff", "keep", "--diff", "{a.json}");
        await Fails(2, "give --ids and --out to write a kept set, or --diff A B", "keep", "--policy", "full");
    }
}
