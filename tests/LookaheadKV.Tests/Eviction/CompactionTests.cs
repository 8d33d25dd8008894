using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Tests.Cache;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Eviction;

public sealed class CompactionTests
{
    private const int Length = 5;

    /// <summary>Rows [2,2,5,3] whose entry at (row, head, position) is named 100·row + 10·head + position.</summary>
    private static Tensor Keys() =>
        PlainLayer
            .Rows(
                from row in Enumerable.Range(0, 2)
                from head in Enumerable.Range(0, 2)
                from position in Enumerable.Range(0, Length)
                select 100 * row + 10 * head + position
            )
            .view(2, 2, Length, PlainLayer.HeadSize);

    [Fact]
    public void A_rectangle_is_copied_head_by_head()
    {
        using var scope = NewDisposeScope();
        var keys = Keys();
        using var kept = new KeptSet(tensor(new long[] { 0, 4, 1, 2, 2, 3, 0, 1 }).view(2, 2, 2));
        using var layer = Compaction.Keep(keys, -keys, kept, reserve: 1);
        Assert.Equal(4 * 3 * 8, layer.PositionBytes);
        Assert.True(layer.IsRectangular);
        keys.zero_();
        PlainLayer.AssertHolds(layer, [(0, 0), (4, 4)], [(11, 1), (12, 2)], [(102, 2), (103, 3)], [(110, 0), (111, 1)]);
    }

    [Fact]
    public void Ragged_heads_are_copied_head_by_head()
    {
        using var scope = NewDisposeScope();
        var keys = Keys();
        using var kept = new KeptSet(
            tensor(new long[] { 0, 1, 4, 3, 0, 2 }),
            [
                [3, 0],
                [1, 2],
            ]
        );
        using var layer = Compaction.Keep(keys, -keys, kept, reserve: 2);
        Assert.Equal((6 + 4 * 2) * 8, layer.PositionBytes);
        PlainLayer.AssertHolds(layer, [(0, 0), (1, 1), (4, 4)], [], [(103, 3)], [(110, 0), (112, 2)]);
        using var tight = Compaction.Keep(keys, -keys, kept);
        Assert.Equal(6 * 8, tight.PositionBytes);
    }

    [Fact]
    public void A_cache_is_compacted_by_place_and_keeps_its_positions()
    {
        using var scope = NewDisposeScope();
        using var layer = PlainLayer.Of(reserve: 3, [(1, 2), (2, 5), (3, 9)], [(4, 0), (5, 7)]);
        using var kept = KeptSet.Of(
            [
                [0, 2],
                [1],
            ],
            CPU
        );
        using var smaller = Compaction.Keep(layer, kept, reserve: 1);
        Assert.Equal((3 + 2) * 8, smaller.PositionBytes);
        PlainLayer.AssertHolds(smaller, [(1, 2), (3, 9)], [(5, 7)]);
        PlainLayer.AssertHolds(layer, [(1, 2), (2, 5), (3, 9)], [(4, 0), (5, 7)]);
        using var tight = Compaction.Keep(layer, kept);
        Assert.Equal(3 * 8, tight.PositionBytes);
    }

    [Fact]
    public void Keeping_all_gives_every_row_its_position()
    {
        using var scope = NewDisposeScope();
        var keys = Keys();
        using var layer = LayerEviction.KeepAll(new LayerRows(keys, keys, -keys), reserve: 2);
        Assert.Equal((Length, Length + 2), (layer.StoredLength, layer.Capacity));
        keys.zero_();
        PlainLayer.AssertHolds(
            layer,
            [.. new[] { 0, 10, 100, 110 }.Select(s => Enumerable.Range(0, Length).Select(p => (s + p, (long)p)).ToArray())]
        );
    }
}
