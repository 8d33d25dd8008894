using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Fourth step: which positions stay. Ties go to the lower position; a larger budget keeps a superset.</summary>
public static class Selection
{
    /// <summary>The protected positions and, of the rest, those with the highest scores; <paramref name="count"/> in all.</summary>
    /// <param name="scores">Scores [B,G,N], float, higher = keep, no NaN.</param>
    /// <param name="count">C, positions to keep a head, 1..N.</param>
    /// <param name="always">Positions kept whatever their score; default none.</param>
    /// <returns>C positions a head, increasing.</returns>
    /// <exception cref="InputException">The budget is below 1, above N, or cannot hold what is protected; or a score is NaN, which has no rank.</exception>
    public static KeptSet Top(Tensor scores, long count, Protection? always = null)
    {
        var length = scores.size(-1);
        var protection = always ?? Protection.None;
        Require(count, length, protection);
        using var scope = NewDisposeScope();
        if (scores.isnan().any().item<bool>())
            throw new InputException(
                "a score is NaN, which has no rank: the model's queries or keys overflowed; run it in float32 or check its weights."
            );
        var (_, ranked) = sort(scores, dim: -1, descending: true, stable: true); // positions, best first
        var order = protection.Count(length) > 0 ? ProtectedFirst(ranked, protection) : ranked;
        var (positions, _) = sort(order.narrow(-1, 0, count), dim: -1);
        return new KeptSet(positions.DetachFromDisposeScope());
    }

    /// <summary>Every position: the kept set of a layer from which nothing is evicted.</summary>
    public static KeptSet All(long batch, long kvHeads, long length, Device device)
    {
        using var scope = NewDisposeScope();
        return new KeptSet(arange(length, device: device).expand(batch, kvHeads, length).contiguous().DetachFromDisposeScope());
    }

    // A second stable sort by membership alone: protection never enters the scores, where it could tie.
    private static Tensor ProtectedFirst(Tensor ranked, Protection protection)
    {
        var rest = protection.Mask(ranked.size(-1), ranked.device).logical_not().to(ScalarType.Int32); // 0 protected, 1 not
        var (_, order) = sort(rest[ranked], dim: -1, stable: true);
        return ranked.gather(-1, order);
    }

    /// <summary>Whether a budget can be met: <paramref name="count"/> within 1..N, and room for what is protected.</summary>
    internal static void Require(long count, long length, Protection protection)
    {
        if (count < 1 || count > length)
            throw new InputException($"budget {count} is outside 1..{length}, the tokens of the prompt.");
        var needed = protection.Count(length);
        if (count < needed)
            throw new InputException(
                $"budget {count} cannot hold the {needed} protected tokens (first {protection.First}, last {protection.Last}); give at least {needed}."
            );
    }
}
