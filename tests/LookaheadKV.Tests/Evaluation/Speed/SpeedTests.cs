using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Speed;
using LookaheadKV.Eviction;
using LookaheadKV.Methods;
using LookaheadKV.Tests.Models;
using MathNet.Numerics.Statistics;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Evaluation.Speed;

/// <summary>The arithmetic of speed tables: medians, their intervals, floors, and which run is held against which. No time is looked at.</summary>
public sealed class SpeedTests
{
    private static readonly DeviceCeilings Ceilings = new(FlopsPerSecond: 1e6, BytesPerSecond: 1e5);

    /// <summary>Ranks of sign-test intervals of the median at 95 %, from tables (Dixon and Massey).</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(5, 0)]
    [InlineData(6, 0)]
    [InlineData(8, 0)]
    [InlineData(9, 1)]
    [InlineData(11, 1)]
    [InlineData(12, 2)]
    [InlineData(20, 5)]
    [InlineData(30, 9)]
    [InlineData(50, 17)]
    public void The_interval_of_a_median_is_that_of_the_sign_test(int count, int from)
    {
        double[] values = [.. Enumerable.Range(0, count).Select(i => (double)i)];
        new Random(1).Shuffle(values);
        Assert.Equal((from, count - 1 - from), SpeedBenchmark.MedianInterval(values));
    }

    /// <summary>By hand for the tiny shape: in a layer q 16·8, k and v 8·8, o 8·16, gate, up and down 10·8.</summary>
    [Fact]
    public void Floors_count_every_weight_and_product_once()
    {
        const double Linear = 2 * (16 * 8 + 2 * 8 * 8 + 8 * 16 + 3 * 10 * 8);
        Assert.Equal(Linear, SpeedFloor.LinearWeights(TinyDecoder.Config));
        // 2 layers of 4 heads of size 4 over 5 tokens: 15 weights of the triangle, two products of 2 operations.
        Assert.Equal(2 * Linear * 5 + 2 * 4 * 4 * 15 * 4 + 2 * 13 * 8, SpeedFloor.PrefillFlops(TinyDecoder.Config, 5));
        // 2 bytes a number: the weights, the head, 7 entries of keys and values in 2 layers of 2 heads of size 4.
        Assert.Equal(2 * (Linear + 13 * 8) + 2 * 7 * 2 * 2 * 2 * 4, SpeedFloor.DecodeBytes(TinyDecoder.Config, 7, 2));
    }

    [Fact]
    public void Rows_tell_each_policys_costs_against_the_full_cache_of_the_same_round()
    {
        using var decoder = TinyDecoder.Create();
        EvictionPolicy[] policies =
        [
            SnapKV.Policy(2).With(Budget.Tokens(4)),
            EvictionPolicy.Full,
            StreamingLlm.Policy(1).With(Budget.Tokens(3)),
        ];
        var options = new SpeedOptions
        {
            Runs = 7,
            WarmUp = 1,
            DecodeTokens = 3,
            Seed = 5,
        };
        var (asked, told) = (0, new List<(int, int)>());
        var measured = new Lazy<DeviceCeilings>(() => Ceilings);
        long? Bytes() => asked++;
        SpeedRow[] rows =
        [
            .. SpeedBenchmark.Run(decoder, policies, [9, 6], measured, options, Bytes, (done, all) => told.Add((done, all))),
        ];

        Assert.Equal(
            [("snapkv", "4", 6), ("full", null, 6), ("streaming", "3", 6), ("snapkv", "4", 9), ("full", null, 9), ("streaming", "3", 9)],
            rows.Select(row => (row.Policy, row.Budget, row.Length))
        );
        Assert.Equal(Enumerable.Range(1, 48).Select(i => (i, 48)), told); // 2 lengths × 8 rounds × 3 policies
        Assert.Equal(48, asked);
        foreach (var row in rows)
        {
            var full = rows.Single(other => other.Length == row.Length && other.Policy == "full");
            Assert.Equal((7, 7), (row.TtftRuns.Count, row.DecodeRuns.Count));
            Assert.Equal(row.TtftRuns.Median(), row.TtftMs);
            Assert.Equal(row.DecodeRuns.Median(), row.DecodeMs);
            Assert.True(row is { FirstStepMs: > 0, EvictionMs: >= 0, PredictedMemory: null });
            double[] costs = [.. row.TtftRuns.Zip(full.TtftRuns, (own, whole) => own - whole)];
            if (row == full)
                Assert.Equal((null, null, null, null), (row.CostMs, row.CostLowMs, row.CostHighMs, row.CostShare));
            else
            {
                Assert.Equal(costs.Median(), row.CostMs);
                Assert.Equal(SpeedBenchmark.MedianInterval(costs), (row.CostLowMs!.Value, row.CostHighMs!.Value));
                Assert.Equal(row.CostMs!.Value / full.TtftMs, row.CostShare!.Value, 1e-12);
            }
            var kept = row.Budget is { } budget ? double.Parse(budget) : row.Length;
            Assert.Equal(kept, row.KeptTokens);
            Assert.Equal((long)kept * decoder.Config.CacheBytesPerToken(4), row.CacheBytes);
            // Room for 3 + 1 tokens of answer, and the positions: 8 bytes an entry of 2 layers and 2 heads.
            Assert.Equal(((long)kept + 4) * (decoder.Config.CacheBytesPerToken(4) + 8 * 4), row.ResidentBytes);
            Assert.True(row.PeakCacheBytes >= row.CacheBytes);
            Assert.Equal(1e3 * SpeedFloor.PrefillFlops(decoder.Config, row.Length) / 1e6, row.PrefillFloorMs, 1e-9);
            Assert.Equal(1e3 * SpeedFloor.DecodeBytes(decoder.Config, kept, 4) / 1e5, row.DecodeFloorMs, 1e-9);
            Assert.Equal(row.LiveTensors, row.LiveTensorsAtEnd);
            // Each round begins with the next policy: round 0 asks in the order given, round 7 of the last.
            var p = Array.FindIndex(policies, policy => policy.Name == row.Policy);
            var before = row.Length == 6 ? 0 : 24;
            Assert.Equal((before + p, before + 21 + (p - 7 % 3 + 3) % 3), (row.DeviceBytes, row.DeviceBytesAtEnd));
        }
    }

    [Fact]
    public void Without_the_full_cache_there_is_no_cost()
    {
        using var decoder = TinyDecoder.Create();
        var options = new SpeedOptions
        {
            Runs = 1,
            WarmUp = 0,
            DecodeTokens = 1,
        };
        EvictionPolicy[] policies = [KeyNorm.Method.Policy().With(Budget.Tokens(2))];
        var row = Assert.Single(SpeedBenchmark.Run(decoder, policies, [5], new(() => Ceilings), options, () => null));
        Assert.Equal((null, null, null, null), (row.CostMs, row.CostLowMs, row.CostHighMs, row.CostShare));
        Assert.Equal((null, null), (row.DeviceBytes, row.DeviceBytesAtEnd));
        Assert.Equal(2, options.Reserve);
    }

    [Fact]
    public void Steps_of_an_eviction_are_told_with_their_floors_the_shortest_length_first()
    {
        var options = new SpeedOptions { Runs = 3, WarmUp = 1 };
        StepRow[] rows = [.. EvictionSteps.Measure(TinyDecoder.Config, [12, 9], 5, CPU, ScalarType.Float32, options, Ceilings)];
        Assert.Equal(
            [("score", 9), ("select", 9), ("compact", 9), ("score", 12), ("select", 12), ("compact", 12)],
            rows.Select(row => (row.Step, row.Length))
        );
        Assert.All(rows, row => Assert.Equal((3, row.Runs.Median()), (row.Runs.Count, row.Ms)));
        Assert.All(rows, row => Assert.True(row.Ms > 0));
        // Two heads of size 4: a key is 32 bytes, a position's scores are 8, what is kept is read and written, keys and values.
        double[] bytes = [32 * 9, 8 * 9, 4 * 32 * 5, 32 * 12, 8 * 12, 4 * 32 * 5];
        Assert.Equal(bytes.Select(count => 1e3 * count / 1e5), rows.Select(row => row.FloorMs));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Where_all_is_kept_no_step_is_measured(int kept) =>
        Assert.Contains(
            $"{kept} entries of 5 tokens are all of them",
            Assert
                .Throws<InputException>(() =>
                    EvictionSteps.Measure(TinyDecoder.Config, [9, 5], kept, CPU, ScalarType.Float32, new(), Ceilings)
                )
                .Message
        );
}
