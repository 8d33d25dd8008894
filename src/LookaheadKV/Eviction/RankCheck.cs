using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Whether any of the scores seen was NaN, which has no rank. Seeing waits for nothing; completing reads one number from the device.</summary>
internal sealed class RankCheck : IDisposable
{
    private readonly List<Tensor> _largest = [];

    /// <summary>Looks at scores of any shape: a maximum passes a NaN on.</summary>
    public void See(Tensor scores) => _largest.Add(scores.max().view(1).DetachFromDisposeScope());

    /// <summary>Looks at scores that are sorted, descending: a NaN comes first.</summary>
    public void SeeSorted(Tensor scores) => _largest.Add(scores.narrow(-1, 0, 1).flatten().clone().DetachFromDisposeScope());

    /// <summary>Refuses what was seen if there was a NaN in it.</summary>
    /// <exception cref="InputException">There was.</exception>
    public void Complete()
    {
        using var scope = NewDisposeScope();
        if (_largest.Count > 0 && cat(_largest).isnan().any().item<bool>())
            throw new InputException(
                "a score is NaN, which has no rank: the model's queries or keys overflowed; run it in float32 or check its weights."
            );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _largest)
            tensor.Dispose();
    }
}
