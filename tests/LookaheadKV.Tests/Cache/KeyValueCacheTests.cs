using LookaheadKV.Cache;
using Xunit;
using static LookaheadKV.Tests.Cache.PlainLayer;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class KeyValueCacheTests
{
    /// <summary>A rectangular and a ragged layer of a prompt of 10 tokens.</summary>
    private static KeyValueCache Cache()
    {
        var cache = new KeyValueCache(10);
        cache.Add(Of(reserve: 4, [(1, 0), (2, 7)], [(3, 1), (4, 8)]));
        cache.Add(Of(reserve: 4, [(5, 0), (6, 3), (7, 9)], [(8, 2)]));
        return cache;
    }

    private static void Append(KeyValueCache cache, int entry)
    {
        using var scope = NewDisposeScope();
        var rows = Rows([entry, entry + 1]).view(1, 2, 1, HeadSize);
        foreach (var layer in cache.Layers)
            layer.Append(rows, -rows, tensor(new[] { cache.LogicalLength }));
        cache.Advance(1);
    }

    [Fact]
    public void Bytes_and_lengths_are_those_of_the_layers()
    {
        using var cache = Cache();
        Assert.Equal(10, cache.LogicalLength);
        Assert.Equal(2 * 8 * HeadSize * 4, cache.Bytes);
        Assert.Equal(2 * (8 + 16) * HeadSize * 4, cache.StorageBytes);
        Assert.Equal((8 + 16) * 8, cache.PositionBytes);
        Assert.Equal(2, cache.MeanStoredLength);
        Append(cache, 20);
        Assert.Equal((11, 3), (cache.LogicalLength, cache.MeanStoredLength));
        using var uneven = new KeyValueCache(1);
        uneven.Add(Of(reserve: 0, [(1, 0)], [(1, 0)]));
        uneven.Add(Of(reserve: 0, [(1, 0), (2, 1)], [(1, 0), (2, 1)]));
        Assert.Equal(1.5, uneven.MeanStoredLength);
    }

    [Fact]
    public void Rolling_back_forgets_what_came_after_the_mark_and_nothing_else()
    {
        using var cache = Cache();
        Append(cache, 20);
        var mark = cache.Mark();
        Append(cache, 30);
        Append(cache, 40);
        cache.RollBack(mark);
        Assert.Equal(11, cache.LogicalLength);
        AssertHolds(cache.Layers[0], [(1, 0), (2, 7), (20, 10)], [(3, 1), (4, 8), (21, 10)]);
        AssertHolds(cache.Layers[1], [(5, 0), (6, 3), (7, 9), (20, 10)], [(8, 2), (21, 10)]);
        // The mark is still good after the cache went on.
        Append(cache, 50);
        cache.RollBack(mark);
        Assert.Equal(11, cache.LogicalLength);
        cache.Crop(3);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.RollBack(mark));
    }

    [Fact]
    public void Cropping_forgets_by_position()
    {
        using var cache = Cache();
        Append(cache, 20);
        cache.Crop(8);
        Assert.Equal(8, cache.LogicalLength);
        AssertHolds(cache.Layers[0], [(1, 0), (2, 7)], [(3, 1)]);
        AssertHolds(cache.Layers[1], [(5, 0), (6, 3)], [(8, 2)]);
        Append(cache, 30);
        AssertHolds(cache.Layers[0], [(1, 0), (2, 7), (30, 8)], [(3, 1), (31, 8)]);
        AssertHolds(cache.Layers[1], [(5, 0), (6, 3), (30, 8)], [(8, 2), (31, 8)]);
        cache.Crop(0);
        Assert.Equal((0, 0), (cache.LogicalLength, cache.Bytes));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(11)]
    public void Cropping_stays_within_what_was_seen(long length)
    {
        using var cache = Cache();
        Assert.Contains("allowed: 0..10", Assert.Throws<ArgumentOutOfRangeException>(() => cache.Crop(length)).Message);
        cache.Crop(10);
        AssertHolds(cache.Layers[1], [(5, 0), (6, 3), (7, 9)], [(8, 2)]);
    }

    [Fact]
    public void A_batch_is_cropped_within_its_shortest_row()
    {
        using var cache = new KeyValueCache(7, 5);
        Assert.Contains("allowed: 0..5", Assert.Throws<ArgumentOutOfRangeException>(() => cache.Crop(6)).Message);
        cache.Advance(2);
        Assert.Equal([9, 7], cache.LogicalLengths);
        Assert.Contains("read LogicalLengths", Assert.Throws<InvalidOperationException>(() => cache.LogicalLength).Message);
        cache.Crop(4);
        Assert.Equal([4, 4], cache.LogicalLengths);
        Assert.Equal(4, cache.LogicalLength);
    }

    [Fact]
    public void A_fork_and_its_origin_go_on_apart()
    {
        using var cache = Cache();
        using var fork = cache.Fork(reserve: 2);
        Append(cache, 20);
        Append(fork, 30);
        Append(fork, 40);
        Assert.Equal((11, 12), (cache.LogicalLength, fork.LogicalLength));
        AssertHolds(cache.Layers[1], [(5, 0), (6, 3), (7, 9), (20, 10)], [(8, 2), (21, 10)]);
        AssertHolds(fork.Layers[1], [(5, 0), (6, 3), (7, 9), (30, 10), (40, 11)], [(8, 2), (31, 10), (41, 11)]);
        Assert.Throws<InvalidOperationException>(() => Append(fork, 50));
    }

    [Fact]
    public void Disposing_a_cache_disposes_its_layers()
    {
        var cache = Cache();
        var keys = cache.Layers.Select(layer => layer.Segment(0, 0).Keys).ToArray();
        cache.Dispose();
        Assert.All(cache.Layers, layer => Assert.ThrowsAny<Exception>(() => layer.Segment(0, 0)));
        foreach (var view in keys)
            view.Dispose();
    }
}
