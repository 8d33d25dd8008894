using LookaheadKV.Models;
using LookaheadKV.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Speed;

/// <summary>What a device does at best, measured: the denominators of every floor.</summary>
/// <param name="FlopsPerSecond">Of a large matrix product in the model's dtype.</param>
/// <param name="BytesPerSecond">Read and written by a large copy.</param>
public sealed record DeviceCeilings(double FlopsPerSecond, double BytesPerSecond)
{
    /// <summary>Measures a device: the best of several products and copies, each long against its launch.</summary>
    public static DeviceCeilings Measure(Device device, ScalarType dtype)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var size = device.type == DeviceType.CUDA ? 8192L : 1024L;
        var (a, b) = (randn(size, size, dtype: dtype, device: device), randn(size, size, dtype: dtype, device: device));
        var product = empty_like(a);
        var large = empty(device.type == DeviceType.CUDA ? 1L << 30 : 1L << 26, dtype: ScalarType.Int8, device: device);
        var copy = empty_like(large);
        var flops = 2.0 * size * size * size / Best(() => matmul(a, b).Dispose());
        var bytes = 2.0 * large.NumberOfElements / Best(() => copy.copy_(large));
        return new(flops, bytes);

        double Best(Action work)
        {
            var best = double.PositiveInfinity;
            for (var i = 0; i < 12; i++)
                best = Math.Min(best, DeviceClock.Seconds(device, work));
            return best;
        }
    }
}

/// <summary>What a pass must compute and move at least, whoever writes it.</summary>
public static class SpeedFloor
{
    /// <summary>
    /// Operations of a pass over N tokens: two for every weight of the layers' linear maps and token, two products of causal attention (half of the N×N
    /// weights), and the output head for one row.
    /// </summary>
    public static double PrefillFlops(DecoderConfig shape, long length)
    {
        var linear = 2.0 * LinearWeights(shape) * length;
        var attention = 2.0 * shape.Layers * shape.QueryHeads * shape.HeadSize * length * (length + 1);
        return linear + attention + 2.0 * shape.VocabularySize * shape.Width;
    }

    /// <summary>Bytes that a decoded token must read: every weight of the layers and the head once, and the cache.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="entries">Entries of the cache, a layer and head.</param>
    /// <param name="elementSize">Bytes of a weight and of a cached number.</param>
    public static double DecodeBytes(DecoderConfig shape, double entries, int elementSize) =>
        (LinearWeights(shape) + (double)shape.VocabularySize * shape.Width) * elementSize + entries * shape.CacheBytesPerToken(elementSize);

    /// <summary>Weights of the linear maps of all layers.</summary>
    public static double LinearWeights(DecoderConfig shape) =>
        shape.Layers * LinearNames.All.Sum(name => (double)name.Shape(shape).In * name.Shape(shape).Out);
}
