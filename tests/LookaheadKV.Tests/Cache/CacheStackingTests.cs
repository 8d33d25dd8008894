using LookaheadKV.Cache;
using Xunit;
using static LookaheadKV.Tests.Cache.PlainLayer;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cache;

public sealed class CacheStackingTests
{
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
}
