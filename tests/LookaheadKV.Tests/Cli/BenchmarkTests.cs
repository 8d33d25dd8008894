using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary><c>compare</c> on RULER's tasks and on the files of other benchmarks, with the shipped model.</summary>
public sealed class BenchmarkTests : IDisposable
{
    private const string Question =
        """{"input":"Who?","context":"The rain fell. Mira carries the lantern. It snowed.","answers":["Mira"],"length":9,"dataset":"hotpotqa"}""";

    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Tasks_of_all_benchmarks_share_one_table_with_their_own_gates()
    {
        _bench.Write("longbench.jsonl", $"{Question}\n{Question.Replace("hotpotqa", "qasper")}\n{Question}\n");
        _bench.Write(
            "squad.json",
            JsonSerializer.Serialize(
                new
                {
                    data = new[]
                    {
                        new
                        {
                            paragraphs = Enumerable
                                .Range(0, 40)
                                .Select(i => new
                                {
                                    context = $"The baker of town {i} lifted a barrel and sold it to the miner. ",
                                    qas = new[]
                                    {
                                        new { question = $"Who is in town {i}?", answers = new[] { new { text = "The baker" } } },
                                    },
                                }),
                        },
                    },
                }
            )
        );
        var ran = await _bench.Run([
            .. new[] { "compare", "--policies", "random", "--budgets", "32", "--tasks", "single,niah_single_1,qa_1", "--samples", "2" },
            .. new[]
            {
                "--longbench",
                "{longbench.jsonl}",
                "--squad",
                "{squad.json}",
                "--length",
                "400",
                "--device",
                "cpu",
                "--json",
                "{out.json}",
            },
        ]);
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var json = _bench.Json("out.json");
        var samples = json.GetProperty("results")
            .EnumerateArray()
            .Where(row => row.GetProperty("policy").GetString() == "random")
            .Select(row => (row.GetProperty("task").GetString()!, row.GetProperty("samples").GetInt32()));
        // As many prompts as were asked for, or as there are.
        Assert.Equal([("single", 2), ("niah_single_1", 2), ("qa_1", 2), ("hotpotqa", 2), ("qasper", 1), ("mean", 2)], samples);
        Assert.Equal(
            ["niah_single_1", "qa_1", "hotpotqa", "qasper"],
            json.GetProperty("leftOut").EnumerateArray().Select(task => task.GetString())
        );
        Assert.Contains("niah_single_1 is left out of the mean: 0.00 on the full cache is below 0.75", ran.Output);
        Assert.Contains("hotpotqa is left out of the mean: 0.00 on the full cache is below 0.10", ran.Output);
    }

    [Fact]
    public async Task A_file_alone_is_all_that_is_run_and_may_be_asked_after_eviction()
    {
        _bench.Write("longbench.jsonl", Question);
        var ran = await _bench.Run([
            .. new[] { "compare", "--policies", "random", "--budgets", "16", "--samples", "1", "--query", "agnostic" },
            .. new[] { "--longbench", "{longbench.jsonl}", "--length", "300", "--device", "cpu" },
        ]);
        Assert.Equal(3, ran.ExitCode);
        Assert.Contains("tasks hotpotqa; 1 prompts", ran.Output);
        Assert.Contains("refused: no task reaches 0.10 on the full cache", ran.Error);
    }

    [Fact]
    public async Task Tables_of_LongProc_are_compared_under_every_policy_and_budget()
    {
        string Record(string name) =>
            JsonSerializer.Serialize(
                new
                {
                    html = $"<table><tr><td>{name}</td><td>3</td></tr></table>",
                    tsv = $"Name\tAge\n{name}\t3",
                    tsv_header = "Name\tAge",
                    task_topic = "People",
                    task_description = "(1) Name; (2) Age",
                }
            );
        _bench.Write("longproc.jsonl", $"{Record("Ann")}\n{Record("Bob")}\n");
        // Room for 3,072 tokens of answer, which most tokens end sooner.
        var config = TinyDecoder.Config with
        {
            VocabularySize = 300,
            MaxPositions = 8192,
            EndTokens = [.. Enumerable.Range(0, 290)],
        };
        RandomFolder.Write(_bench["long"], config);
        BpeTrainer.Train(["the table of the page"], 300, [], SplitPatterns.Qwen2).Write(_bench["long/tokenizer.json"]);
        var ran = await _bench.Run([
            .. new[] { "compare", "--model", "{long}", "--policies", "random,streaming", "--budgets", "16,32" },
            .. new[] { "--longproc", "{longproc.jsonl}", "--samples", "2", "--length", "4000", "--device", "cpu", "--json", "{out.json}" },
        ]);
        // Random weights write no tables: the full cache's score says so, and nothing is claimed of the policies.
        Assert.Contains("refused: no task reaches", ran.Error);
        Assert.Equal(3, ran.ExitCode);
        var rows = _bench.Json("out.json").GetProperty("results").EnumerateArray().ToList();
        var cells = rows.Where(row => row.GetProperty("task").GetString() != "mean")
            .Select(row =>
                (
                    row.GetProperty("policy").GetString()!,
                    row.GetProperty("budget").GetString(),
                    row.GetProperty("samples").GetInt32(),
                    row.GetProperty("accuracy").GetDouble()
                )
            );
        Assert.Equal(
            [
                ("full", null, 2, 0.0),
                ("random", "16", 2, 0.0),
                ("random", "32", 2, 0.0),
                ("streaming", "16", 2, 0.0),
                ("streaming", "32", 2, 0.0),
            ],
            cells
        );
        Assert.All(rows, row => Assert.True(row.GetProperty("cacheBytes").GetInt64() > 0));
    }

    [Theory]
    [InlineData("--longbench", "{bad.jsonl}", "bad.jsonl: line 2: not JSON")]
    [InlineData("--longbench", "{none.jsonl}", "none.jsonl cannot be read")]
    [InlineData("--longproc", "{bad.jsonl}", "bad.jsonl: line 1: tsv is missing")]
    [InlineData("--squad", "{bad.jsonl}", "bad.jsonl: line 2: not JSON")]
    [InlineData("--tasks", "qa_1", "give its file by --squad")]
    [InlineData("--tasks", "single,qa_2", "give its file by --hotpot")]
    public async Task What_cannot_be_read_is_named_before_the_first_prompt(string option, string value, string part)
    {
        _bench.Write("bad.jsonl", $"{Question}\n{{");
        var ran = await _bench.Run("compare", "--policies", "random", "--device", "cpu", option, value, "--json", "{out.json}");
        Assert.Equal(option == "--tasks" ? 2 : 1, ran.ExitCode); // an option is missing, or a file is bad
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.DoesNotContain("prompt …", ran.Output);
    }
}
