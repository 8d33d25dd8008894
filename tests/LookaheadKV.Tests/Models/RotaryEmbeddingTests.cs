using LookaheadKV.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

public sealed class RotaryEmbeddingTests
{
    /// <summary>Each pair of a row, turned one number at a time in double precision.</summary>
    private static double[] Turned(double[] x, long position, double theta)
    {
        var half = x.Length / 2;
        var y = new double[x.Length];
        for (var i = 0; i < half; i++)
        {
            var angle = position * Math.Pow(theta, -2.0 * i / x.Length);
            y[i] = x[i] * Math.Cos(angle) - x[i + half] * Math.Sin(angle);
            y[i + half] = x[i + half] * Math.Cos(angle) + x[i] * Math.Sin(angle);
        }
        return y;
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(20, 6)] // begins inside the context of 24, ends behind it
    [InlineData(24, 3)]
    [InlineData(3_000, 2)]
    public void Rows_stand_anywhere_behind_the_context_too(long first, long count)
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyDecoder.Config, CPU, ScalarType.Float32);
        var size = TinyDecoder.Config.HeadSize;
        var x = rand(1, 2, count, size, ScalarType.Float64);
        var turned = rotary.Rows(first, count).Apply(x);
        for (var head = 0; head < 2; head++)
        for (var row = 0; row < count; row++)
        {
            var expected = Turned([.. x[0, head, row].data<double>()], first + row, TinyDecoder.Config.RopeTheta);
            Assert.All(turned[0, head, row].data<double>().Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 2e-4));
        }
    }

    [Fact]
    public void Given_positions_have_the_bits_of_successive_ones()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyDecoder.Config, CPU, ScalarType.BFloat16);
        var rows = rotary.Rows(0, 40);
        var positions = tensor([30L, 2, 2, 39, 0, 17], [2, 3]);
        var at = rotary.At(positions);
        Assert.Equal([2L, 1, 3, TinyDecoder.Config.HeadSize], at.Cos.shape);
        Assert.True(Same(at.Cos[1, 0, 2], rows.Cos[0, 0, 17]) && Same(at.Sin[0, 0, 0], rows.Sin[0, 0, 30]));
        Assert.True(Same(at.Cos[0, 0, 1], at.Cos[0, 0, 2]));

        static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1)]
    [InlineData(ScalarType.BFloat16, 1)]
    [InlineData(ScalarType.BFloat16, 1.2079)] // a length factor, as YaRN's
    [InlineData(ScalarType.Float64, 0.7)]
    public void The_inverse_leads_back(ScalarType dtype, double factor)
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyDecoder.Config, CPU, dtype);
        var rows = rotary.Rows(100, 7);
        var angles = new RotaryAngles(rows.Cos * factor, rows.Sin * factor);
        var x = rand(2, 3, 7, TinyDecoder.Config.HeadSize, ScalarType.Float32);
        var back = angles.Inverse().Apply(angles.Apply(x));
        Assert.True(back.allclose(x.to(back.dtype), 1e-5, 1e-6));
        var bits = dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        Assert.Equal((bits, bits), (angles.Inverse().Cos.dtype, angles.Inverse().Sin.dtype));
        Assert.Equal(bits, angles.Inverse().Apply(x.to(dtype)).dtype);
    }
}
