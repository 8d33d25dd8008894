using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests;

/// <summary>SplitMix64 beside its definition, and what is drawn with it. Every seeded text and figure hangs on these numbers.</summary>
public sealed class RandomStreamTests
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    /// <summary>The numbers of Steele, Lea and Flood's generator, as the published C program gives them for the seed 1234567.</summary>
    [Fact]
    public void The_generator_of_this_test_is_the_published_one() =>
        Assert.Equal(
            [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821],
            Published(1234567).Take(5)
        );

    [Theory]
    [InlineData(Split.Training, "task", new long[0])]
    [InlineData(Split.Evaluation, "task", new[] { 1L })]
    [InlineData(Split.Tokenizer, "", new[] { -4L, 9 })]
    public void Numbers_are_the_generators_from_a_state_hashed_of_split_purpose_and_keys(Split split, string purpose, long[] keys)
    {
        var state = Mix((ulong)split + Golden);
        foreach (var letter in purpose)
            state = Mix(state ^ letter) + Golden;
        foreach (var key in keys)
            state = Mix(state ^ Mix((ulong)key + Golden)) + Golden;
        var random = RandomStream.For(split, purpose, keys);
        foreach (var number in Published(state).Take(20))
            Assert.Equal((number >> 11) * Math.Pow(2, -53), random.Unit());
    }

    [Fact]
    public void Whole_numbers_are_scaled_from_the_same_bits()
    {
        var (random, units) = (Stream(1), Stream(1));
        for (var i = 0; i < 200; i++)
        {
            var unit = units.Unit();
            Assert.Equal((int)(unit * 1000), random.Below(1000));
        }
        Assert.Equal(0, Stream(2).Below(1));
    }

    [Fact]
    public void Ranges_hold_both_ends_and_nothing_else()
    {
        var random = Stream(3);
        Assert.Equal([-2, -1, 0, 1], Enumerable.Range(0, 200).Select(_ => random.Between(-2, 1)).Distinct().Order());
        Assert.Equal(7, random.Between(7, 7));
        Assert.Equal(["a", "b"], Enumerable.Range(0, 50).Select(_ => random.Pick(["a", "b"])).Distinct().Order());
    }

    [Fact]
    public void A_chance_comes_as_often_as_it_says()
    {
        var random = Stream(4);
        Assert.InRange(Enumerable.Range(0, 4000).Count(_ => random.Chance(0.3)), 1000, 1400);
        Assert.DoesNotContain(true, Enumerable.Range(0, 100).Select(_ => random.Chance(0)));
        Assert.DoesNotContain(false, Enumerable.Range(0, 100).Select(_ => random.Chance(1)));
    }

    [Fact]
    public void Weights_decide_and_no_weight_is_never_drawn()
    {
        var random = Stream(5);
        double[] weights = [0, 1, 0, 3, -1, 0];
        var counts = new int[weights.Length];
        for (var i = 0; i < 4000; i++)
            counts[random.PickWeighted(weights)]++;
        Assert.Equal(4000, counts[1] + counts[3]);
        // The negative weight is left out, but counts in the sum: what falls behind the last one is that one's.
        Assert.InRange(counts[1], 4000 / 3 - 150, 4000 / 3 + 150);
    }

    [Fact]
    public void A_shuffle_gives_every_order_alike()
    {
        var random = Stream(6);
        var counts = new Dictionary<string, int>();
        for (var i = 0; i < 6000; i++)
        {
            char[] letters = ['a', 'b', 'c'];
            random.Shuffle<char>(letters);
            var order = new string(letters);
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }
        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 850, 1150));
    }

    [Fact]
    public void A_copy_goes_on_alike_and_alone()
    {
        var random = Stream(7);
        random.Unit();
        var copy = random.Copy();
        double[] next = [random.Unit(), random.Unit()];
        Assert.Equal(next, new[] { copy.Unit(), copy.Unit() });
    }

    private static RandomStream Stream(long key) => RandomStream.For(Split.Evaluation, "test", key);

    private static IEnumerable<ulong> Published(ulong state)
    {
        while (true)
            yield return Mix(state += Golden);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
