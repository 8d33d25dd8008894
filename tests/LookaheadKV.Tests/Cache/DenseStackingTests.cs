using LookaheadKV.Cache;
using Xunit;
using static LookaheadKV.Tests.Cache.PlainLayer;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class DenseStackingTests
{
    [Fact]
    public void Shorter_rows_end_in_places_without_positions()
    {
        using var scope = NewDisposeScope();
        using var shorter = Row(logicalLength: 9, entries: 2);
        using var longer = Row(logicalLength: 5, entries: 4);
        using var batch = CacheStacking.Stack([shorter, longer], reserve: 3);
        Assert.Equal([9, 5], batch.LogicalLengths);
        var layer = Assert.IsType<DenseLayer>(Assert.Single(batch.Layers));
        Assert.Equal((4, 7, true), (layer.StoredLength, layer.Capacity, layer.HasGaps));
        Assert.Equal([0, 1, -1, -1, 0, 1, 2, 3], layer.Positions.contiguous().data<long>().ToArray());
        Assert.Throws<InvalidOperationException>(() => batch.LogicalLength);
    }

    [Fact]
    public void Rows_of_one_length_leave_no_gaps()
    {
        using var scope = NewDisposeScope();
        using var row = Row(logicalLength: 3, entries: 3);
        using var batch = CacheStacking.Stack([row, row], reserve: 0);
        Assert.False(Assert.IsType<DenseLayer>(Assert.Single(batch.Layers)).HasGaps);
    }

    [Fact]
    public void Ragged_rows_follow_each_other_without_gaps()
    {
        using var scope = NewDisposeScope();
        using var ragged = new KeyValueCache(9);
        ragged.Add(Of(reserve: 5, [(1, 0), (2, 4), (3, 8)], [(4, 2)]));
        using var even = new KeyValueCache(6);
        even.Add(Of(reserve: 0, [(5, 1), (6, 5)], [(7, 0), (8, 3)]));
        // One ragged row is enough to make the batch ragged, wherever it stands.
        using var last = CacheStacking.Stack([even, ragged], reserve: 2);
        using var batch = CacheStacking.Stack([ragged, even], reserve: 2);
        Assert.Equal([9, 6], batch.LogicalLengths);
        Assert.Equal([6, 9], last.LogicalLengths);
        var layer = Assert.IsType<DenseLayer>(Assert.Single(batch.Layers));
        Assert.Equal((2, 2, false), (layer.Batch, layer.KvHeads, layer.HasGaps));
        Assert.Equal(2 * (8 + 4 * 2) * HeadSize * 4, layer.StorageBytes);
        var tokens = Rows(Enumerable.Range(10, 8)).view(2, 2, 2, HeadSize);
        layer.Append(tokens, -tokens, tensor(new long[] { 9, 10, 6, 7 }).view(2, 1, 2));
        AssertHolds(
            layer,
            [(1, 0), (2, 4), (3, 8), (10, 9), (11, 10)],
            [(4, 2), (12, 9), (13, 10)],
            [(5, 1), (6, 5), (14, 6), (15, 7)],
            [(7, 0), (8, 3), (16, 6), (17, 7)]
        );
        AssertHolds(ragged.Layers[0], [(1, 0), (2, 4), (3, 8)], [(4, 2)]);
        AssertHolds(last.Layers[0], [(5, 1), (6, 5)], [(7, 0), (8, 3)], [(1, 0), (2, 4), (3, 8)], [(4, 2)]);
        using var again = CacheStacking.Stack([batch, even], reserve: 0);
        Assert.Equal(3, again.Layers[0].Batch);
        Assert.Equal([9, 6, 6], again.LogicalLengths);
    }

    [Fact]
    public void Rows_with_gaps_stay_rectangular_and_never_join_ragged_ones()
    {
        using var scope = NewDisposeScope();
        using var shorter = Row(logicalLength: 2, entries: 2);
        using var longer = Row(logicalLength: 3, entries: 3);
        using var filled = CacheStacking.Stack([shorter, longer], reserve: 0);
        using var more = CacheStacking.Stack([filled, longer], reserve: 0);
        Assert.True(Assert.IsType<DenseLayer>(Assert.Single(more.Layers)).HasGaps);
        using var ragged = new KeyValueCache(2);
        ragged.Add(Of(reserve: 0, [(1, 0), (2, 1)], [(1, 0)]));
        using var gaps = new KeyValueCache(1);
        var layer = new DenseLayer(1, 2, 1, HeadSize, ScalarType.Float32, CPU);
        var rows = ones(1, 2, 1, HeadSize);
        layer.Append(rows, rows, full(1, -1, ScalarType.Int64), gaps: true);
        gaps.Add(layer);
        Assert.Contains("stack its single rows", Assert.Throws<ArgumentException>(() => CacheStacking.Stack([ragged, gaps], 0)).Message);
    }
}
