using LookaheadKV.Cache;
using TorchSharp;
using Xunit;
using static LookaheadKV.Tests.Cache.PlainLayer;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class DenseLayerTests
{
    [Fact]
    public void A_rectangle_takes_as_many_entries_as_there_is_room_for()
    {
        using var scope = NewDisposeScope();
        using var layer = new DenseLayer(2, 2, capacity: 3, HeadSize, ScalarType.Float32, CPU);
        Assert.Equal((2, 2, 3, 3), (layer.Batch, layer.KvHeads, layer.HeadSize, layer.Capacity));
        Assert.True(layer.IsRectangular);
        Assert.Equal((0, 0), (layer.StoredLength, layer.Bytes));
        var keys = Rows(Enumerable.Range(0, 8)).view(2, 2, 2, HeadSize);
        layer.Append(keys, -keys, tensor(new long[] { 5, 7 }));
        var one = Rows([20, 21, 22, 23]).view(2, 2, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { 8, 9 }).view(2, 1, 1)); // rows at positions of their own
        AssertHolds(layer, [(0, 5), (1, 7), (20, 8)], [(2, 5), (3, 7), (21, 8)], [(4, 5), (5, 7), (22, 9)], [(6, 5), (7, 7), (23, 9)]);
        Assert.Equal([2, 2, 3, HeadSize], layer.Keys.shape);
        Assert.True(layer.Values.equal(-layer.Keys).all().item<bool>());
        Assert.Equal([5, 7, 8, 5, 7, 8, 5, 7, 9, 5, 7, 9], layer.Positions.contiguous().data<long>().ToArray());
        Assert.Equal((2 * 12 * HeadSize * 4, 12 * 8), (layer.StorageBytes, layer.PositionBytes));
        Assert.False(layer.HasGaps);
        var error = Assert.Throws<InvalidOperationException>(() => layer.Append(one, one, zeros(1, ScalarType.Int64)));
        Assert.Contains("room for 3 entries and holds 3; 1 more do not fit", error.Message);
    }

    [Fact]
    public void Ragged_heads_grow_each_behind_its_own_entries()
    {
        using var scope = NewDisposeScope();
        using var layer = Of(reserve: 3, [(1, 0), (2, 4), (3, 9)], [(4, 2)]);
        Assert.False(layer.IsRectangular);
        Assert.Equal(4, layer.Capacity); // of the shorter head
        Assert.Equal((2 * 10 * HeadSize * 4, 10 * 8), (layer.StorageBytes, layer.PositionBytes));
        var two = Rows([10, 11, 20, 21]).view(1, 2, 2, HeadSize);
        layer.Append(two, -two, tensor(new long[] { 10, 11 }));
        var one = Rows([12, 22]).view(1, 2, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { 12 }));
        AssertHolds(layer, [(1, 0), (2, 4), (3, 9), (10, 10), (11, 11), (12, 12)], [(4, 2), (20, 10), (21, 11), (22, 12)]);
        Assert.Throws<InvalidOperationException>(() => layer.Append(one, one, zeros(1, ScalarType.Int64)));
        Assert.Contains("read StoredLengths", Assert.Throws<InvalidOperationException>(() => layer.StoredLength).Message);
        Assert.Contains("read StoredLengths", Assert.Throws<InvalidOperationException>(() => layer.Keys).Message);
    }

    [Fact]
    public void What_is_truncated_is_written_over()
    {
        using var scope = NewDisposeScope();
        using var layer = Of(reserve: 2, [(1, 0), (2, 4)], [(3, 1)]);
        var two = Rows([10, 11, 20, 21]).view(1, 2, 2, HeadSize);
        layer.Append(two, -two, tensor(new long[] { 5, 6 }));
        layer.Truncate([3, 1]);
        AssertHolds(layer, [(1, 0), (2, 4), (10, 5)], [(3, 1)]);
        var one = Rows([30, 40]).view(1, 2, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { 6 }));
        AssertHolds(layer, [(1, 0), (2, 4), (10, 5), (30, 6)], [(3, 1), (40, 6)]);
        layer.Truncate(2);
        AssertHolds(layer, [(1, 0), (2, 4)], [(3, 1), (40, 6)]);
        layer.Truncate(0);
        AssertHolds(layer, [], []);
    }

    [Fact]
    public void Heads_of_one_capacity_are_a_rectangle_when_they_hold_equally_many()
    {
        using var scope = NewDisposeScope();
        using var layer = new DenseLayer(1, 2, capacity: 3, HeadSize, ScalarType.Float32, CPU);
        var three = Rows([1, 2, 3]);
        layer.Append(three, -three, tensor(new long[] { 0, 1, 0 }), [2, 1]);
        Assert.False(layer.IsRectangular);
        AssertHolds(layer, [(1, 0), (2, 1)], [(3, 0)]);
        layer.Truncate(1);
        Assert.True(layer.IsRectangular);
        var one = Rows([4, 5]).view(1, 2, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { 7 }));
        AssertHolds(layer, [(1, 0), (4, 7)], [(3, 0), (5, 7)]);
        layer.Truncate(2);
        Assert.True(layer.IsRectangular);
    }

    [Fact]
    public void Equally_long_heads_of_unequal_rooms_are_no_rectangle()
    {
        using var scope = NewDisposeScope();
        using var layer = new DenseLayer(1, 2, [1, 2], HeadSize, ScalarType.Float32, CPU);
        var two = Rows([1, 2]);
        layer.Append(two, -two, tensor(new long[] { 0, 0 }), [1, 1]);
        Assert.False(layer.IsRectangular);
        AssertHolds(layer, [(1, 0)], [(2, 0)]);
        // The second head has room, the first has not: nothing is written.
        var one = Rows([3, 4]).view(1, 2, 1, HeadSize);
        Assert.Throws<InvalidOperationException>(() => layer.Append(one, -one, tensor(new long[] { 1 })));
        AssertHolds(layer, [(1, 0)], [(2, 0)]);
        // A head without room must not write into the next one's segment.
        var error = Assert.Throws<InvalidOperationException>(() => layer.Append(Rows([9]), Rows([9]), tensor(new long[] { 3 }), [1, 0]));
        Assert.Contains("room for 1 entries and holds 1; 1 more do not fit", error.Message);
        AssertHolds(layer, [(1, 0)], [(2, 0)]);
        layer.Append(Rows([5]), -Rows([5]), tensor(new long[] { 3 }), [0, 1]);
        AssertHolds(layer, [(1, 0)], [(2, 0), (5, 3)]);
        error = Assert.Throws<InvalidOperationException>(() => layer.Append(Rows([9]), Rows([9]), tensor(new long[] { 3 }), [0, 1]));
        Assert.Contains("room for 2 entries and holds 2; 1 more do not fit", error.Message);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused_and_nothing_changes()
    {
        using var scope = NewDisposeScope();
        using var layer = Of(reserve: 0, [(1, 0), (2, 4)], [(3, 1)]);
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.Truncate(2));
        Assert.Contains("allowed: 0..1", Assert.Throws<ArgumentOutOfRangeException>(() => layer.Truncate([2, 2])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.Truncate([-1, 1]));
        Assert.Contains("1 lengths", Assert.Throws<ArgumentException>(() => layer.Truncate([1])).Message);
        Assert.Contains("3 lengths", Assert.Throws<ArgumentException>(() => layer.Truncate([1, 1, 1])).Message);
        AssertHolds(layer, [(1, 0), (2, 4)], [(3, 1)]);
        Assert.Contains(
            "2 capacities are not one for each of 1 rows and 3 heads",
            Assert.Throws<ArgumentException>(() => new DenseLayer(1, 3, [1, 2], HeadSize, ScalarType.Float32, CPU)).Message
        );
    }

    [Fact]
    public void A_copy_has_storage_of_its_own_and_the_room_it_was_promised()
    {
        using var scope = NewDisposeScope();
        using var layer = Of(reserve: 2, [(1, 0), (2, 4)], [(3, 1)]);
        using var copy = layer.Copy(reserve: 1);
        Assert.Equal((2 * 5 * HeadSize * 4, 5 * 8), (copy.StorageBytes, copy.PositionBytes));
        layer.Truncate(0);
        var one = Rows([7, 8]).view(1, 2, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { 0 }));
        AssertHolds(copy, [(1, 0), (2, 4)], [(3, 1)]);
        copy.Append(one, -one, tensor(new long[] { 5 }));
        AssertHolds(copy, [(1, 0), (2, 4), (7, 5)], [(3, 1), (8, 5)]);
        AssertHolds(layer, [(7, 0)], [(8, 0)]);
    }

    [Fact]
    public void Gaps_are_remembered()
    {
        using var scope = NewDisposeScope();
        using var layer = new DenseLayer(1, 1, capacity: 3, HeadSize, ScalarType.Float32, CPU);
        var one = Rows([1]).view(1, 1, 1, HeadSize);
        layer.Append(one, -one, tensor(new long[] { -1 }), gaps: true);
        layer.Append(one, -one, tensor(new long[] { -1 }), gaps: true);
        layer.Append(one, -one, tensor(new long[] { 0 }));
        Assert.True(layer.HasGaps);
        using var copy = layer.Copy(reserve: 0);
        Assert.True(copy.HasGaps);
        AssertHolds(copy, [(1, -1), (1, -1), (1, 0)]);
    }

    [Theory]
    [InlineData(ScalarType.Float64, 8)]
    [InlineData(ScalarType.BFloat16, 2)]
    public void Bytes_follow_the_dtype(ScalarType dtype, int size)
    {
        using var scope = NewDisposeScope();
        using var layer = new DenseLayer(1, 2, capacity: 4, HeadSize, dtype, CPU);
        layer.Append(ones(1, 2, 3, HeadSize, dtype: dtype), ones(1, 2, 3, HeadSize, dtype: dtype), arange(3));
        Assert.Equal((dtype, CPU.type), (layer.DType, layer.Device.type));
        Assert.Equal((2 * 6 * HeadSize * size, 2 * 8 * HeadSize * size), (layer.Bytes, layer.StorageBytes));
    }

    /// <summary>Every kind of use, rectangular and ragged; what is alive afterwards was alive before.</summary>
    [Fact]
    public void A_disposed_layer_leaves_no_tensor()
    {
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        static void Use()
        {
            foreach (var lengths in new[] { (2, 2), (1, 2) })
            {
                using var rows = Rows([1, 2]);
                using var two = rows.view(1, 2, 1, HeadSize);
                using var position = tensor(new long[] { 9 });
                using var layer = Of(
                    reserve: 2,
                    [.. Enumerable.Range(0, lengths.Item1).Select(i => (i, (long)i))],
                    [.. Enumerable.Range(0, lengths.Item2).Select(i => (i, (long)i))]
                );
                layer.Append(two, two, position);
                layer.Append(two, two, position);
                layer.Truncate(1);
                layer.Append(two, two, position);
                using var copy = layer.Copy(reserve: 1);
                copy.Append(two, two, position);
            }
        }
    }
}
