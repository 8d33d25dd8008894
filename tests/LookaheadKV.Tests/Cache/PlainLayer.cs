using LookaheadKV.Cache;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

/// <summary>What a cache should hold: a list of entries for each row and head, each entry a position and the number that its key starts with.</summary>
internal static class PlainLayer
{
    public const long HeadSize = 3;

    /// <summary>Rows [n, 3] of one segment: entry x is (x, x+¼, x+½).</summary>
    public static Tensor Rows(IEnumerable<int> entries)
    {
        using var scope = NewDisposeScope();
        float[] flat = [.. entries.SelectMany(x => new[] { x, x + 0.25f, x + 0.5f })];
        return tensor(flat).reshape(-1, HeadSize).MoveToOuterDisposeScope();
    }

    /// <summary>A layer of one row whose heads hold entries at positions; values are the negative keys.</summary>
    public static DenseLayer Of(long reserve, params (int Entry, long Position)[][] heads)
    {
        using var scope = NewDisposeScope();
        long[] counts = [.. heads.Select(head => (long)head.Length)];
        var layer = new DenseLayer(1, heads.Length, [.. counts.Select(n => n + reserve)], HeadSize, ScalarType.Float32, CPU);
        var keys = Rows(heads.SelectMany(head => head.Select(e => e.Entry)));
        layer.Append(keys, -keys, tensor(heads.SelectMany(head => head.Select(e => e.Position)).ToArray()), counts);
        return layer;
    }

    /// <summary>Head by head: entries, at positions.</summary>
    public static void AssertHolds(ICacheLayer layer, params (int Entry, long Position)[][] segments)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(segments.Select(s => (long)s.Length), layer.StoredLengths);
        for (var s = 0; s < segments.Length; s++)
        {
            var (keys, values, positions) = layer.Segment(s / layer.KvHeads, s % layer.KvHeads);
            var expected = Rows(segments[s].Select(e => e.Entry));
            Assert.Equal(segments[s].Select(e => e.Position), positions.data<long>().ToArray());
            Assert.True(keys.equal(expected).all().item<bool>(), $"keys of segment {s}");
            Assert.True(values.equal(-expected).all().item<bool>(), $"values of segment {s}");
        }
        Assert.Equal(2 * segments.Sum(s => s.Length) * HeadSize * sizeof(float), layer.Bytes);
    }

    /// <summary>A cache of one row, layer and head whose first entries are there.</summary>
    public static KeyValueCache Row(long logicalLength, long entries, long headSize = 4, ScalarType dtype = ScalarType.Float32)
    {
        var cache = new KeyValueCache(logicalLength);
        var layer = new DenseLayer(1, 1, entries, headSize, dtype, CPU);
        var rows = ones([1, 1, entries, headSize], dtype: dtype);
        layer.Append(rows, rows, arange(entries));
        cache.Add(layer);
        return cache;
    }
}
