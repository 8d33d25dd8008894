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
    public Tensor Draw(string name, long[] shape)
    {
        var tensor = empty(shape, dtype: _dtype, device: _device);
        Draw(name, tensor);
        return tensor;
    }

    /// <summary>The next weight, written where it shall be.</summary>
    public void Draw(string name, Tensor place)
    {
        if (name.EndsWith("norm.weight", StringComparison.Ordinal))
            place.fill_(1);
        else if (name.EndsWith(".bias", StringComparison.Ordinal))
            place.zero_();
        else
            place.normal_(0, Deviation, _generator);
    }

    public void Dispose() => _generator?.Dispose();
}
