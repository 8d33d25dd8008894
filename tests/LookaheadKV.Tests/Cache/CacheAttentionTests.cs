using LookaheadKV.Cache;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class CacheAttentionTests
{
    [Theory]
    [InlineData(null, "0011|0111|1111")]
    [InlineData(9, "0011|0111|1111")]
    [InlineData(3, "0001|0101|1100")]
    [InlineData(1, "0000|0100|1000")]
    public void A_row_sees_what_stands_at_or_before_it_within_its_window(int? window, string expected)
    {
        using var scope = NewDisposeScope();
        // Entries in any order, as head by head eviction may leave them.
        var stored = tensor(new long[] { 7, 5, 0, 3 }).view(1, 1, 4);
        var rows = tensor(new long[] { 4, 5, 7 }).view(1, 3);
        var visible = CacheAttention.Visible(stored, rows, window);
        Assert.Equal([1, 1, 3, 4], visible.shape);
        Assert.Equal(expected, string.Join('|', visible.view(3, 4).unbind(0).Select(Bits)));
    }

    [Fact]
    public void A_place_without_entry_is_seen_by_none()
    {
        using var scope = NewDisposeScope();
        var visible = CacheAttention.Visible(tensor(new long[] { -1, 0 }).view(1, 1, 2), tensor(new long[] { 6 }).view(1, 1));
        Assert.Equal("01", Bits(visible.view(2)));
    }

    private static string Bits(Tensor row) => string.Concat(row.data<bool>().ToArray().Select(seen => seen ? '1' : '0'));
}
