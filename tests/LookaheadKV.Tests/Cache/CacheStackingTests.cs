using LookaheadKV.Cache;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class CacheStackingTests
{
    [Fact]
    public void Shorter_rows_end_in_places_without_positions()
    {
        using var scope = NewDisposeScope();
        using var shorter = Row(logicalLength: 9, entries: 2);
        using var longer = Row(logicalLength: 5, entries: 4);
        using var batch = CacheStacking.Stack([shorter, longer], reserve: 3);
        Assert.Equal([9, 5], batch.LogicalLengths);
        var layer = Assert.Single(batch.Layers);
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
        Assert.False(Assert.Single(batch.Layers).HasGaps);
    }

    [Fact]
    public void Caches_of_different_models_are_refused()
    {
        using var scope = NewDisposeScope();
        using var one = Row(3, 3);
        using var other = Row(3, 3, headSize: 6);
        using var brain = Row(3, 3, dtype: ScalarType.BFloat16);
        Assert.Contains("different models", Assert.Throws<ArgumentException>(() => CacheStacking.Stack([one, other], 0)).Message);
        Assert.Contains("different models", Assert.Throws<ArgumentException>(() => CacheStacking.Stack([one, brain], 0)).Message);
        Assert.Contains("at least one", Assert.Throws<ArgumentException>(() => CacheStacking.Stack([], 0)).Message);
    }

    private static KeyValueCache Row(long logicalLength, long entries, long headSize = 4, ScalarType dtype = ScalarType.Float32)
    {
        var cache = new KeyValueCache(logicalLength);
        var layer = new LayerCache(1, 1, entries, headSize, dtype, CPU);
        var rows = ones([1, 1, entries, headSize], dtype: dtype);
        layer.Append(rows, rows, arange(entries));
        cache.Add(layer);
        return cache;
    }
}
