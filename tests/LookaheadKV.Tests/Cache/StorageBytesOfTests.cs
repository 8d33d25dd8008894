using LookaheadKV.Cache;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class StorageBytesOfTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 4)]
    [InlineData(ScalarType.BFloat16, 2)]
    [InlineData(ScalarType.Float16, 2)]
    [InlineData(ScalarType.Float64, 8)]
    [InlineData(ScalarType.Int64, 8)]
    public void A_view_counts_the_whole_of_what_it_holds_alive(ScalarType dtype, int size)
    {
        using var scope = NewDisposeScope();
        var whole = ones([3, 5], dtype: dtype);
        Assert.Equal(15 * size, StorageBytesOf.Tensor(whole));
        Assert.Equal(15 * size, StorageBytesOf.Tensor(whole.narrow(1, 0, 1)));
        Assert.Equal(3 * size, StorageBytesOf.Tensor(whole.narrow(1, 0, 1).clone()));
        Assert.Equal(5 * size, StorageBytesOf.Tensor(ones([1, 5], dtype: dtype).expand(3, 5)));
    }
}
