using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Draws weights of a model that nobody trained: linear maps and embeddings normal with standard deviation 0.02, norms 1, biases 0.</summary>
internal sealed class RandomWeights : IDisposable
{
    private const double Deviation = 0.02;
    private readonly Device _device;
    private readonly ScalarType _dtype;
    private readonly Generator? _generator;

    /// <summary>
    /// Starts a sequence of draws. Another device draws other numbers. A GPU's own generator is seeded: TorchSharp can make no other.
    /// </summary>
    public RandomWeights(Device device, ScalarType dtype, long seed)
    {
        (_device, _dtype) = (device, dtype);
        if (device.type == DeviceType.CUDA)
            cuda.manual_seed(seed);
        else
            _generator = new Generator((ulong)seed, device);
    }

    /// <summary>The next weight, by its Hugging Face name.</summary>
    public Tensor Draw(string name, long[] shape) =>
        name.EndsWith("norm.weight", StringComparison.Ordinal) ? ones(shape, dtype: _dtype, device: _device)
        : name.EndsWith(".bias", StringComparison.Ordinal) ? zeros(shape, dtype: _dtype, device: _device)
        : empty(shape, dtype: _dtype, device: _device).normal_(0, Deviation, _generator);

    public void Dispose() => _generator?.Dispose();
}
