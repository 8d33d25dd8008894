using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Whether any of the scores seen was NaN, which has no rank. Seeing waits for nothing; completing reads one number from the device.</summary>
internal sealed class RankCheck : IDisposable
{
    private Tensor? _found; // bool, a scalar on the scores' device

    /// <summary>Looks at scores of any shape.</summary>
    public void See(Tensor scores)
    {
        using var scope = NewDisposeScope();
        var found = scores.isnan().any();
        var all = _found is null ? found : _found.logical_or(found);
        _found?.Dispose();
        _found = all.DetachFromDisposeScope();
    }

    /// <summary>Refuses what was seen if there was a NaN in it.</summary>
    /// <exception cref="InputException">There was.</exception>
    public void Complete()
    {
        if (_found?.item<bool>() == true)
            throw new InputException(
                "a score is NaN, which has no rank: the model's queries or keys overflowed; run it in float32 or check its weights."
            );
    }

    /// <inheritdoc/>
    public void Dispose() => _found?.Dispose();
}
