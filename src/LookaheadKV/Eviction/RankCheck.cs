using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>
/// Whether any of the scores seen was NaN, which has no rank. Seeing waits for nothing, and is one reduction: a maximum passes a NaN on. Completing reads one
/// number from the device.
/// </summary>
internal sealed class RankCheck(Device device) : IDisposable
{
    private readonly Tensor _largest = full([], double.NegativeInfinity, dtype: ScalarType.Float64, device: device)
        .DetachFromDisposeScope();

    /// <summary>Looks at scores of any shape.</summary>
    public void See(Tensor scores)
    {
        using var scope = NewDisposeScope();
        _largest.copy_(maximum(_largest, scores.max()));
    }

    /// <summary>Refuses what was seen if there was a NaN in it.</summary>
    /// <exception cref="InputException">There was.</exception>
    public void Complete()
    {
        if (double.IsNaN(_largest.item<double>()))
            throw new InputException(
                "a score is NaN, which has no rank: the model's queries or keys overflowed; run it in float32 or check its weights."
            );
    }

    /// <inheritdoc/>
    public void Dispose() => _largest.Dispose();
}
