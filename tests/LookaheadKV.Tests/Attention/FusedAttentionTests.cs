using LookaheadKV.Attention;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Attention;

public sealed class FusedAttentionTests
{
    [Fact]
    public void Causal_attention_of_a_suffix_is_refused()
    {
        using var scope = NewDisposeScope();
        // The kernel would align the mask to the top left corner: row 0 would see key 0 alone.
        var (queries, keys) = (ones(1, 2, 3, 4), ones(1, 2, 5, 4));
        Assert.Contains("got 3 and 5", Assert.Throws<ArgumentException>(() => FusedAttention.Causal(queries, keys, keys)).Message);
    }

    [Fact]
    public void A_suffix_mask_is_aligned_to_the_end()
    {
        using var scope = NewDisposeScope();
        var mask = FusedAttention.SuffixMask(first: 2, rows: 2, columns: 4, CPU).to(ScalarType.Int64);
        Assert.Equal([1, 1, 1, 0, 1, 1, 1, 1], mask.data<long>().ToArray());
    }

    [Fact]
    public void Heads_that_do_not_divide_are_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => AttentionRows.Softmax(ones(1, 3, 1, 4), ones(1, 2, 5, 4), 4));
    }
}
