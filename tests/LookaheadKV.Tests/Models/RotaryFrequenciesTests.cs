using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>Frequencies of every scaling beside their definitions, a pair at a time in double precision.</summary>
public sealed class RotaryFrequenciesTests
{
    private const int Size = 16;
    private static readonly DecoderConfig Config = TinyDecoder.Config with { HeadSize = Size, RopeTheta = 5_000 };

    [Fact]
    public void Plain_and_linear()
    {
        Close(Plain, Of(null));
        Close(i => Plain(i) / 2.5, Of(new RopeScaling.Linear(2.5)));
        Close(Plain, Of(new RopeScaling.Dynamic(4, 100)));
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 8)]
    [InlineData(0.5, 1.5)]
    public void Llama3_divides_long_waves_keeps_short_ones_and_blends_between(double low, double high)
    {
        Close(Expected, Of(new RopeScaling.Llama3(8, low, high, 1000)));
        // The head is wide enough for all three cases.
        var waves = Enumerable.Range(0, Size / 2).Select(i => 2 * Math.PI / Plain(i)).ToList();
        Assert.Contains(waves, wave => wave > 1000 / low);
        Assert.Contains(waves, wave => wave > 1000 / high && wave < 1000 / low);
        Assert.Contains(waves, wave => wave < 1000 / high);

        double Expected(int i)
        {
            var wave = 2 * Math.PI / Plain(i);
            var stays = Math.Clamp((1000 / wave - low) / (high - low), 0, 1);
            return (1 - stays) * Plain(i) / 8 + stays * Plain(i);
        }
    }

    [Theory]
    [InlineData(true, 32, 1, 1000)]
    [InlineData(false, 32, 1, 1000)]
    [InlineData(false, 4, 3, 1000)]
    [InlineData(false, 1e9, 1e-9, 1000)] // the blend is cut off at the first dimension and at the last
    public void Yarn_blends_by_turns_within_the_original_context(bool whole, double fast, double slow, int original)
    {
        Close(Expected, Of(new RopeScaling.Yarn(4, original, 1.1, fast, slow, whole)));

        double Expected(int i)
        {
            var (first, last) = (Dimension(fast), Dimension(slow));
            if (whole)
                (first, last) = (Math.Floor(first), Math.Ceiling(last));
            (first, last) = (Math.Max(first, 0), Math.Min(last, Size - 1));
            var divided = Math.Clamp((i - first) / (last - first), 0, 1);
            return Plain(i) / 4 * divided + Plain(i) * (1 - divided);
        }

        double Dimension(double turns) => Size * Math.Log(original / (turns * 2 * Math.PI)) / (2 * Math.Log(5_000));
    }

    /// <summary>Where the blend has no width it is a step: what makes more turns stays, what makes fewer is divided.</summary>
    [Fact]
    public void A_yarn_without_a_blend_is_a_step()
    {
        // Within 6 tokens no pair turns once: both ends of the blend are dimension 0.
        var frequencies = Of(new RopeScaling.Yarn(4, 6, 1));
        Close(i => i == 0 ? Plain(0) : Plain(i) / 4, frequencies);
    }

    [Fact]
    public void Dynamic_grows_the_base_with_each_rows_own_length()
    {
        using var scope = NewDisposeScope();
        var scaling = new RopeScaling.Dynamic(4, 100);
        var frequencies = RotaryFrequencies.Of(Config, scaling, tensor(new long[] { 50, 100, 250 }));
        Assert.Equal([3, Size / 2], frequencies.shape);
        Close(Plain, frequencies[0]);
        Close(Plain, frequencies[1]);
        Close(i => Math.Pow(5_000 * Math.Pow(4 * 2.5 - 3, Size / (Size - 2.0)), -2.0 * i / Size), frequencies[2]);
    }

    [Fact]
    public void Only_yarn_lengthens_rows()
    {
        Assert.Equal(1, RotaryFrequencies.LengthFactor(Config));
        Assert.Equal(1, RotaryFrequencies.LengthFactor(Config with { RopeScaling = new RopeScaling.Linear(2) }));
        Assert.Equal(1.25, RotaryFrequencies.LengthFactor(Config with { RopeScaling = new RopeScaling.Yarn(4, 10, 1.25) }));
    }

    /// <summary>A length factor multiplies both, and rows that follow others in a batch have their own angles.</summary>
    [Fact]
    public void Angles_are_lengthened_and_follow_each_other()
    {
        using var scope = NewDisposeScope();
        var config = Config with { RopeScaling = new RopeScaling.Yarn(4, 1000, 1.25) };
        using var rotary = new RotaryEmbedding(config, CPU, ScalarType.Float32);
        var rows = rotary.Rows(0, 5);
        var length = rows.Cos.square() + rows.Sin.square();
        Assert.True(length.allclose(full_like(length, 1.25 * 1.25)));
        var joined = rotary.Rows(0, 2).Then(rotary.Rows(2, 3));
        Assert.True(joined.Cos.eq(rows.Cos).all().item<bool>() && joined.Sin.eq(rows.Sin).all().item<bool>());
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Turning_is_applying(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(Config, CPU, dtype);
        using var generator = new Generator(1, CPU);
        var x = randn([2, 3, 6, Size], dtype, generator: generator);
        var angles = rotary.Rows(7, 6);
        var kept = x.clone();
        Assert.True(angles.Turn(x).allclose(angles.Apply(x), 1e-5, 1e-6));
        Assert.True(x.eq(kept).all().item<bool>());
    }

    private static double Plain(int i) => Math.Pow(5_000, -2.0 * i / Size);

    private static Tensor Of(RopeScaling? scaling) => RotaryFrequencies.Of(Config with { RopeScaling = scaling });

    private static void Close(Func<int, double> expected, Tensor actual)
    {
        Assert.Equal([Size / 2], actual.shape);
        var numbers = actual.data<float>().ToArray();
        for (var i = 0; i < Size / 2; i++)
            Assert.Equal(1, numbers[i] / expected(i), 1e-5);
    }
}
