using System.Text.Json;
using LookaheadKV.Tests.Docs;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary>A comparison on questions, and of scorers, of one's own.</summary>
public sealed class OwnDataTests : IDisposable
{
    private const string Text = "Text: It snowed. Toko Casan's code is 483. The fog passed. The wind fell.";
    private const string Asked = "Question: What is Toko Casan's code?\nAnswer:";
    private static readonly string Assembly = typeof(ValueAware).Assembly.Location;
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    private async Task<(Ran Ran, List<JsonElement> Rows)> Compared(params string[] arguments)
    {
        var ran = await _bench.Run(["compare", "--device", "cpu", "--json", "{out.json}", .. arguments]);
        return (ran, ran.ExitCode is 0 or 3 ? [.. _bench.Json("out.json").GetProperty("results").EnumerateArray()] : []);
    }

    private string Questions(params object[] lines) =>
        _bench.Write("mine.jsonl", string.Join('\n', lines.Select(line => JsonSerializer.Serialize(line))));

    [Theory]
    [InlineData("aware")]
    [InlineData("agnostic")]
    public async Task Questions_with_answers_are_scored(string query)
    {
        Questions(
            new
            {
                context = Text,
                question = Asked,
                answers = new[] { "483" },
            },
            new
            {
                context = Text,
                question = Asked,
                answers = new[] { "77" },
                metric = "answer-f1",
            }
        );
        var (ran, rows) = await Compared(
            "--data",
            "{mine.jsonl}",
            "--policies",
            "full,oracle,keynorm",
            "--budgets",
            "20",
            "--query",
            query,
            "--report",
            "{report}"
        );
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var full = rows.Single(row =>
            row.GetProperty("task").GetString() == "mine.jsonl" && row.GetProperty("policy").GetString() == "full"
        );
        Assert.Equal(
            (0.5, "answer-f1", 2),
            (full.GetProperty("accuracy").GetDouble(), full.GetProperty("metric").GetString(), full.GetProperty("samples").GetInt32())
        );
        Assert.Contains("answer-f1", File.ReadAllText(Path.Combine(_bench["report"], "index.html")));
        Assert.Contains("answer-f1 ± 95 %", ran.Output);
    }

    [Fact]
    public async Task Questions_without_answers_have_what_needs_none()
    {
        Questions(new { context = Text, question = Asked });
        var (ran, rows) = await Compared(
            "--data",
            "{mine.jsonl}",
            "--policies",
            "full,random,snapkv[window=4],oracle",
            "--budgets",
            "8,16",
            "--report",
            "{report}"
        );
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        Assert.All(rows, row => Assert.Equal(JsonValueKind.Null, row.GetProperty("accuracy").ValueKind));
        Assert.All(rows, row => Assert.InRange(row.GetProperty("oracleOverlap").GetDouble(), 0, 1));
        Assert.All(
            rows.Where(row => row.GetProperty("policy").GetString() == "oracle"),
            row => Assert.Equal(1, row.GetProperty("oracleOverlap").GetDouble())
        );
        Assert.DoesNotContain("NaN", ran.Output);
    }

    [Theory]
    [InlineData("{none.jsonl}", 1, "none.jsonl cannot be read")]
    [InlineData("{ids.json}", 1, "must be an object")]
    public async Task A_file_that_is_none_is_named(string file, int code, string part)
    {
        var (ran, _) = await Compared("--data", file);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Prompts_that_are_cut_are_counted()
    {
        Questions(
            new { context = string.Concat(Enumerable.Repeat("It snowed. ", 100)), question = Asked },
            new { context = Text, question = Asked }
        );
        var (ran, _) = await Compared("--data", "{mine.jsonl}", "--policies", "full,keynorm", "--budgets", "20", "--length", "100");
        Assert.Equal(0, ran.ExitCode);
        Assert.Contains("mine.jsonl: 1 of its prompts are longer than 100 tokens", ran.Output);
        (ran, _) = await Compared("--data", "{mine.jsonl}", "--policies", "full,keynorm", "--budgets", "20");
        Assert.DoesNotContain("longer than", ran.Output);
    }

    [Theory]
    [InlineData("ValueAware")]
    [InlineData("valueaware[window=4,pool=max:3,heads=adaptive]")]
    [InlineData("LookaheadKV.Tests.Docs.ValueAware[window=4]")]
    public async Task A_scorer_of_ones_own_is_a_policy(string policy)
    {
        Questions(new { context = Text, question = Asked });
        var (ran, rows) = await Compared(
            "--data",
            "{mine.jsonl}",
            "--scorer",
            Assembly,
            "--policies",
            $"full,{policy}",
            "--budgets",
            "40%"
        );
        Assert.True(ran.ExitCode == 0, ran.Error);
        var row = rows.First(row => row.GetProperty("policy").GetString() == policy);
        Assert.Equal("valueaware", row.GetProperty("method").GetString());
    }

    [Theory]
    [InlineData(2, "ValueAwar", "unknown policy \"ValueAwar\"; allowed: full,")]
    [InlineData(2, "ValueAware[size=3]", "unknown option \"size\"; allowed: pool, group, sinks, window")]
    [InlineData(2, "ValueAware[window=few]", "window=few is not allowed; give a number of tokens")]
    [InlineData(2, "ValueAware,nope", "unknown policy \"nope\"")]
    public async Task What_a_scorer_does_not_take_is_a_usage_error(int code, string policy, string part)
    {
        var (ran, _) = await Compared("--scorer", Assembly, "--policies", policy);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Theory]
    [InlineData("{none.dll}", "none.dll: no such file")]
    [InlineData("{ids.json}", "ids.json: cannot be loaded")]
    [InlineData("xunit.v3.assert.dll", "holds no public class that implements IPromptScorer")]
    public async Task An_assembly_that_is_none_is_named(string file, string part)
    {
        var path = file.StartsWith('{') ? file : Path.Combine(AppContext.BaseDirectory, file);
        var (ran, _) = await Compared("--scorer", path, "--policies", "full,random");
        Assert.Equal(1, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task An_English_question_to_the_synthetic_model_gets_a_hint()
    {
        var english = await _bench.Run(
            "generate",
            "--device",
            "cpu",
            "--prompt",
            "What is the capital of France?",
            "--max-new-tokens",
            "4"
        );
        Assert.Equal((0, ""), (english.ExitCode, english.Error));
        Assert.StartsWith(
            "hint: nano knows a synthetic world alone, and in it no capital, France: what follows means nothing",
            english.Output
        );
        var own = await _bench.Run("generate", "--device", "cpu", "--prompt", $"<|begin|>{Text}\n{Asked}", "--max-new-tokens", "4");
        Assert.DoesNotContain("hint", own.Output);
    }
}
