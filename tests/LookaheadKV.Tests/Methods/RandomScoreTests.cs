using LookaheadKV.Methods;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

public sealed class RandomScoreTests
{
    private static float[] Noise(long seed, int layer, int batch = 1)
    {
        using var scope = NewDisposeScope();
        var scores = RandomScore.Score(zeros(batch, 2, 50, 3), seed, layer);
        Assert.Equal([batch, 2, 50], scores.shape);
        return scores.data<float>().ToArray();
    }

    [Fact]
    public void Noise_depends_on_seed_and_layer_alone()
    {
        Assert.Equal(Noise(3, 1), Noise(3, 1));
        var all = Enumerable.Range(0, 6).SelectMany(seed => Enumerable.Range(0, 6).Select(layer => string.Join(' ', Noise(seed, layer))));
        Assert.Equal(36, all.Distinct().Count());
        Assert.All(Noise(0, 0), score => Assert.InRange(score, 0, 1));
        Assert.InRange(Noise(0, 0).Average(), 0.4, 0.6);
    }

    [Fact]
    public void Rows_of_a_batch_get_what_they_get_alone() => Assert.Equal([.. Noise(3, 1), .. Noise(3, 1)], Noise(3, 1, batch: 2));

    /// <summary>The committed results name their seed: what it drew then, it must draw again.</summary>
    [Fact]
    public void A_seed_draws_today_what_it_drew_before()
    {
        Assert.Equal([15, 20, 2, 7, 21], Best(2026, 0));
        Assert.Equal([1, 15, 6, 25, 20], Best(2026, 2));

        static IEnumerable<int> Best(long seed, int layer)
        {
            var noise = Noise(seed, layer);
            return Enumerable.Range(0, 50).OrderByDescending(p => noise[p]).Take(5);
        }
    }
}
