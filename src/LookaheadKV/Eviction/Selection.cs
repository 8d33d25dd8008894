using LookaheadKV.Budgeting;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Fourth step: which positions stay. Ties go to the lower position, then to the lower head; a larger budget keeps a superset.</summary>
public static class Selection
{
    /// <summary>The protected positions and, of the rest, those with the highest scores; <paramref name="count"/> a head.</summary>
    /// <param name="scores">Scores [B,G,N], float, higher = keep, no NaN.</param>
    /// <param name="count">C, positions to keep a head, 1..N.</param>
    /// <param name="always">Positions kept whatever their score; default none.</param>
    /// <returns>C positions a head, increasing.</returns>
    /// <exception cref="InputException">The budget is below 1, above N, or cannot hold what is protected; or a score is NaN, which has no rank.</exception>
    public static KeptSet Top(Tensor scores, long count, Protection? always = null)
    {
        using var check = new RankCheck();
        var kept = Top(scores, count, always ?? Protection.None, check);
        try
        {
            check.Complete();
            return kept;
        }
        catch
        {
            kept.Dispose();
            throw;
        }
    }

    /// <summary>The same, without waiting for the device: a NaN is found when the check is completed.</summary>
    internal static KeptSet Top(Tensor scores, long count, Protection protection, RankCheck check)
    {
        var length = scores.size(-1);
        Require(count, length, protection);
        using var scope = NewDisposeScope();
        var flat = sort(Best(scores, count, protection, check), dim: -1).values.flatten();
        long[] counts = [.. Enumerable.Repeat(count, (int)scores.size(1))];
        return new KeptSet(flat, [.. Enumerable.Repeat(counts, (int)scores.size(0))]);
    }

    /// <summary>
    /// The heads of a layer share one pool of G·C slots (Ada-KV, Feng et al., arXiv 2407.11550): the largest scores take them, whichever head they
    /// are of, but every head keeps what is protected and its own best <c>⌊floor·(C − protected)⌋</c>.
    /// </summary>
    /// <param name="scores">Scores [B,G,N], comparable across heads, higher = keep, no NaN.</param>
    /// <param name="count">C, positions to keep a head on average, 1..N.</param>
    /// <param name="always">Positions that every head keeps; default none.</param>
    /// <param name="floor">Share of its even part that every head is sure of, 0..1.</param>
    /// <returns>G·C positions a row.</returns>
    /// <exception cref="InputException">As <see cref="Top(Tensor, long, Protection)"/>.</exception>
    public static KeptSet Shared(Tensor scores, long count, Protection? always = null, double floor = HeadAllocation.DefaultFloor)
    {
        var protection = always ?? Protection.None;
        Require(count, scores.size(-1), protection);
        using var scope = NewDisposeScope();
        return KeptSet.Of(Pool(scores, scores.size(1) * count, protection, floor));
    }

    /// <summary>All heads of all layers share one pool of slots: the largest scores anywhere take them.</summary>
    /// <param name="scores">Scores [B,G,N] of each layer, comparable across layers and heads, higher = keep, no NaN.</param>
    /// <param name="total">Positions to keep a row, over all layers and heads.</param>
    /// <param name="always">Positions that every head keeps; default none.</param>
    /// <param name="floor">Share of its even part that every head is sure of, 0..1.</param>
    /// <returns>A set a layer; a head may keep nothing.</returns>
    /// <exception cref="InputException">As <see cref="Top(Tensor, long, Protection)"/>.</exception>
    public static IReadOnlyList<KeptSet> Global(IReadOnlyList<Tensor> scores, long total, Protection? always = null, double floor = 0)
    {
        var protection = always ?? Protection.None;
        var heads = scores.Sum(layer => layer.size(1));
        var length = scores[0].size(-1);
        if (total < Math.Max(1, heads * protection.Count(length)) || total > heads * length)
            throw new InputException(
                $"budget {total} is outside {Math.Max(1, heads * protection.Count(length))}..{heads * length}, the entries of {heads} heads with what is protected in each."
            );
        using var scope = NewDisposeScope();
        var kept = Pool(cat([.. scores], 1), total, protection, floor); // [B, L·G, N]
        return [.. kept.split([.. scores.Select(layer => layer.size(1))], 1).Select(KeptSet.Of)];
    }

    /// <summary>Every position: the kept set of a layer from which nothing is evicted.</summary>
    public static KeptSet All(long batch, long kvHeads, long length, Device device)
    {
        using var scope = NewDisposeScope();
        return new KeptSet(arange(length, device: device).expand(batch, kvHeads, length).contiguous());
    }

    // The protected positions, and the best of the others, [B,G,count] in any order. No score is ever changed to keep a position.
    private static Tensor Best(Tensor scores, long count, Protection protection, RankCheck check)
    {
        var held = protection.Count(scores.size(-1));
        if (held == 0)
        {
            var (sorted, ranked) = ByScore(scores);
            check.SeeSorted(sorted);
            return ranked.narrow(-1, 0, count);
        }
        check.See(scores);
        var (always, others) = protection.Split(scores.size(-1), scores.device);
        var best = others.take(ByScore(scores.index_select(-1, others)).Positions.narrow(-1, 0, count - held));
        return cat([always.expand(scores.size(0), scores.size(1), -1), best], -1);
    }

    // Ties to the lower position.
    private static (Tensor Scores, Tensor Positions) ByScore(Tensor scores) => sort(scores, dim: -1, descending: true, stable: true);

    // Positions by rank, [B,X,N]: the protected ones first, then by score, ties by position.
    private static Tensor Ranked(Tensor scores, Protection protection)
    {
        using var check = new RankCheck();
        check.See(scores);
        check.Complete();
        var ranked = ByScore(scores).Positions;
        var length = scores.size(-1);
        return protection.Count(length) > 0 ? MembersFirst(ranked, protection.Mask(length, scores.device)[ranked]) : ranked;
    }

    // A second stable sort by membership alone: what is sure to stay never enters the scores, where it could tie.
    private static Tensor MembersFirst(Tensor ranked, Tensor member)
    {
        var (_, order) = sort(member.logical_not().to(ScalarType.Int32), dim: -1, stable: true);
        return ranked.gather(-1, order);
    }

    // Which entries of X heads take the pool's slots: bool [B,X,N], true `total` times a row.
    private static Tensor Pool(Tensor scores, long total, Protection protection, double floor)
    {
        if (floor is not (>= 0 and <= 1))
            throw new InputException($"the share of {floor} that every head is sure of is outside 0..1; the authors use 0.2.");
        var (rows, heads, length) = (scores.size(0), scores.size(1), scores.size(2));
        var ranked = Ranked(scores, protection);
        var held = protection.Count(length);
        var own = held + (long)Math.Floor(floor * ((double)total / heads - held));
        // Positions before heads, so that the stable sort gives ties to the lower position.
        var sure = Members(ranked.narrow(-1, 0, own), scores.shape).transpose(1, 2).reshape(rows, length * heads);
        var (_, best) = sort(scores.transpose(1, 2).reshape(rows, length * heads), dim: -1, descending: true, stable: true);
        var taken = MembersFirst(best, sure.gather(-1, best)).narrow(-1, 0, total);
        return Members(taken, [rows, length * heads]).view(rows, length, heads).transpose(1, 2);
    }

    private static Tensor Members(Tensor index, long[] shape)
    {
        var members = zeros(shape, dtype: ScalarType.Int8, device: index.device);
        return members.scatter_(-1, index, ones(index.shape, dtype: ScalarType.Int8, device: index.device)).to(ScalarType.Bool);
    }

    private static void Require(long count, long length, Protection protection)
    {
        if (count < 1 || count > length)
            throw new InputException($"budget {count} is outside 1..{length}, the tokens of the prompt.");
        var needed = protection.Count(length);
        if (count < needed)
            throw new InputException($"budget {count} cannot hold the {needed} protected tokens ({protection}); give at least {needed}.");
    }
}
