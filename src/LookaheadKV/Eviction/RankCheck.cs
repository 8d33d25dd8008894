using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Whether any of the scores seen was NaN, which has no rank. Seeing waits for nothing; completing reads one number from the device.</summary>
internal sealed class RankCheck(Device device) : IDisposable
{
    private readonly Tensor _found = zeros([], dtype: ScalarType.Bool, device: device).DetachFromDisposeScope();

    /// <summary>Looks at scores of any shape.</summary>
    public void See(Tensor scores)
    {
        using var scope = NewDisposeScope();
        _found.logical_or_(scores.isnan().any());
    }

    /// <summary>Refuses what was seen if there was a NaN in it.</summary>
    /// <exception cref="InputException">There was.</exception>
    public void Complete()
    {
        if (_found.item<bool>())
            throw new InputException(
                "a score is NaN, which has no rank: the model's queries or keys overflowed; run it in float32 or check its weights."
            );
    }

    /// <inheritdoc/>
    public void Dispose() => _found.Dispose();
}
