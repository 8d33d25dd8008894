using System.Text.Json;
using LookaheadKV.Eviction;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Eviction;

public sealed class KeptPositionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static KeptPositions Kept(int length, params long[][][] layers) =>
        new("snapkv", "3", length, [.. layers.Select(heads => (IReadOnlyList<IReadOnlyList<long>>)[.. heads])]);

    private static KeptPositions Sample { get; } =
        Kept(
            10,
            [
                [0, 3, 9],
                [1, 2],
            ],
            [
                [],
                [4, 5, 6, 7],
            ]
        );

    private string Written(string text)
    {
        File.WriteAllText(_folder["kept.json"], text);
        return _folder["kept.json"];
    }

    [Fact]
    public void What_is_written_is_read()
    {
        Sample.Save(_folder["kept.json"]);
        var read = KeptPositions.Load(_folder["kept.json"]);
        Assert.Equal(("snapkv", "3", 10), (read.Policy, read.Budget, read.Length));
        Assert.Equal(Sample.Layers, read.Layers);
        Assert.Equal((3 + 2 + 0 + 4) / 4.0, read.MeanCount);
        using var json = JsonDocument.Parse(File.ReadAllText(_folder["kept.json"]));
        Assert.Equal(["policy", "budget", "length", "layers", "meanCount"], json.RootElement.EnumerateObject().Select(field => field.Name));
        Assert.EndsWith("\n", File.ReadAllText(_folder["kept.json"]));
        (Sample with { Budget = null }).Save(_folder["full.json"]);
        Assert.Null(KeptPositions.Load(_folder["full.json"]).Budget);
    }

    [Theory]
    [InlineData("", "line 1: not JSON (nothing is in it)")]
    [InlineData("[1, 2]", "not a file of kept positions")]
    [InlineData("{\"layers\": \"no\"}", "not a file of kept positions")]
    [InlineData("{}", "missing or empty")]
    [InlineData("null", "null is not a file of kept positions")]
    [InlineData("{\"length\": 0, \"layers\": [[[]]]}", "missing or empty")]
    [InlineData("{\"length\": 4, \"layers\": []}", "missing or empty")]
    [InlineData("{\"length\": 4, \"layers\": [[]]}", "missing or empty")]
    [InlineData("{\"length\": 4, \"layers\": [[[0]], null]}", "missing or empty")]
    [InlineData("{\"length\": 4, \"layers\": [[[0], null]]}", "missing or empty")]
    [InlineData("{\"length\": 4, \"layers\": [[[0], [3, 4]]]}", "layer 0, head 1: position 4 after 3 is not increasing within 0..3")]
    [InlineData("{\"length\": 4, \"layers\": [[[0]], [[1, 1]]]}", "layer 1, head 0: position 1 after 1")]
    [InlineData("{\"length\": 4, \"layers\": [[[2, 1]]]}", "layer 0, head 0: position 1 after 2")]
    [InlineData("{\"length\": 4, \"layers\": [[[-1]]]}", "layer 0, head 0: position -1 after -1")]
    public void A_file_of_something_else_is_refused_in_one_line(string text, string named)
    {
        var path = Written(text);
        var message = Assert.Throws<InputException>(() => KeptPositions.Load(path)).Message;
        Assert.StartsWith($"{path}: ", message);
        Assert.Contains(named, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void The_first_and_the_last_position_are_allowed()
    {
        var path = Written("{\"length\": 4, \"layers\": [[[0, 3], []]]}");
        Assert.Equal(
            [
                [0L, 3L],
                [],
            ],
            KeptPositions.Load(path).Layers[0]
        );
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains(
            "nowhere.json: no such file",
            Assert.Throws<InputException>(() => KeptPositions.Load(_folder["nowhere.json"])).Message
        );

    [Fact]
    public void Another_prompt_or_model_is_refused()
    {
        Sample.Require(10, TinyDecoder.Config); // two layers of two kv heads
        Assert.Contains("of 10 tokens, this one has 9", Assert.Throws<InputException>(() => Sample.Require(9, TinyDecoder.Config)).Message);
        foreach (var other in new[] { TinyDecoder.Config with { Layers = 3 }, TinyDecoder.Config with { KeyValueHeads = 1 } })
            Assert.Contains("2 layers of 2 kv heads", Assert.Throws<InputException>(() => Sample.Require(10, other)).Message);
        var lacking = Kept(
            10,
            [
                [0],
                [1],
            ],
            [
                [0],
            ]
        );
        Assert.Contains("kv heads", Assert.Throws<InputException>(() => lacking.Require(10, TinyDecoder.Config)).Message);
    }

    [Fact]
    public void Blocks_that_hold_a_kept_position_are_kept_whole()
    {
        var rounded = Sample.RoundToBlocks(4);
        Assert.Equal(
            [
                [0L, 1, 2, 3, 8, 9],
                [0L, 1, 2, 3],
            ],
            rounded.Layers[0]
        ); // the last block ends with the prompt
        Assert.Equal(
            [
                [],
                [4L, 5, 6, 7],
            ],
            rounded.Layers[1]
        );
        Assert.Equal((Sample.Policy, Sample.Budget, Sample.Length), (rounded.Policy, rounded.Budget, rounded.Length));
        Assert.Equal(
            [
                [0L, 2],
                [0L],
            ],
            Sample.BlockTables(4)[0]
        );
        Assert.Equal(
            [
                [],
                [1L],
            ],
            Sample.BlockTables(4)[1]
        );
        Assert.Equal(Sample.Layers, Sample.RoundToBlocks(1).Layers);
        Assert.Equal(Sample.Layers, Sample.BlockTables(1));
        Assert.Equal([0L, 1, 2, 3, 4, 5, 6, 7, 8, 9], Sample.RoundToBlocks(16).Layers[0][1]);
        foreach (var size in new[] { 0, -1 })
        {
            Assert.Contains($"block size {size} is below 1", Assert.Throws<InputException>(() => Sample.RoundToBlocks(size)).Message);
            Assert.Contains($"block size {size} is below 1", Assert.Throws<InputException>(() => Sample.BlockTables(size)).Message);
        }
    }

    [Fact]
    public void Sets_are_compared_head_by_head()
    {
        var differences = Sample.DifferencesTo(
            Kept(
                10,
                [
                    [0, 3, 9],
                    [2, 3, 4],
                ],
                [
                    [],
                    [0],
                ]
            )
        );
        Assert.Equal([(0, 0), (0, 1), (1, 0), (1, 1)], differences.Select(d => (d.Layer, d.Head)));
        Assert.Equal([3, 1, 0, 0], differences.Select(d => d.Shared));
        Assert.Equal(
            [
                [],
                [1L],
                [],
                [4L, 5, 6, 7],
            ],
            differences.Select(d => d.OnlyLeft)
        );
        Assert.Equal(
            [
                [],
                [3L, 4],
                [],
                [0L],
            ],
            differences.Select(d => d.OnlyRight)
        );
        Assert.Equal([1, 0.25, 1, 0], differences.Select(d => d.Jaccard)); // two empty heads agree
    }

    [Fact]
    public void Sets_of_other_prompts_or_models_are_not_compared()
    {
        foreach (
            var other in new[]
            {
                Sample with
                {
                    Length = 11,
                },
                Kept(
                    10,
                    [
                        [0],
                        [1],
                    ]
                ),
                Kept(
                    10,
                    [
                        [0],
                    ],
                    [
                        [1],
                    ]
                ),
            }
        )
            Assert.Contains("cannot be compared", Assert.Throws<InputException>(() => Sample.DifferencesTo(other)).Message);
    }

    public void Dispose() => _folder.Dispose();
}
