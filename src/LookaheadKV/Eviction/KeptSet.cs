using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>
/// The positions that stay in one layer: strictly increasing for every row and key/value head. Heads may keep different numbers of positions;
/// where all keep C, the set is a rectangle [B, G, C].
/// </summary>
public sealed class KeptSet : IDisposable
{
    /// <summary>A rectangular set: positions [B, G, C] (int64).</summary>
    public KeptSet(Tensor positions)
        : this(positions.reshape(-1), Repeat(positions.size(0), positions.size(1), positions.size(2)))
    {
        positions.Dispose();
    }

    /// <summary>A set of any shape.</summary>
    /// <param name="flat">Positions [Σ n] (int64), row by row, head by head.</param>
    /// <param name="counts">How many each row and head keeps, [B][G].</param>
    public KeptSet(Tensor flat, IReadOnlyList<IReadOnlyList<long>> counts)
    {
        var total = counts.Sum(row => row.Sum());
        if (flat.size(0) != total)
            throw new ArgumentException($"{flat.size(0)} positions are not the {total} that the heads' counts add up to.");
        (Flat, Counts) = (flat.DetachFromDisposeScope(), counts);
        IsRectangular = counts.SelectMany(row => row).Distinct().Count() <= 1;
    }

    /// <summary>Positions [Σ n] (int64), row by row, head by head.</summary>
    public Tensor Flat { get; }

    /// <summary>How many positions each row and key/value head keeps, [B][G].</summary>
    public IReadOnlyList<IReadOnlyList<long>> Counts { get; }

    /// <summary>Whether every row and head keeps equally many.</summary>
    public bool IsRectangular { get; }

    /// <summary>Positions kept in all, rows and heads together.</summary>
    public long Total => Flat.size(0);

    /// <summary>C, how many positions each head keeps, where all keep equally many.</summary>
    public long Count =>
        IsRectangular ? Counts[0][0] : throw new InvalidOperationException("the heads keep different numbers of positions; read Counts.");

    /// <summary>Kept positions [B, G, C] (int64) of a rectangular set: a view.</summary>
    public Tensor Positions => Flat.view(Counts.Count, Counts[0].Count, Count);

    /// <summary>The positions at which a mask is true.</summary>
    /// <param name="mask">Bool [B, G, N].</param>
    public static KeptSet Of(Tensor mask)
    {
        using var scope = NewDisposeScope();
        var counts = mask.sum(-1, type: ScalarType.Int64).cpu().contiguous().data<long>().ToArray();
        var flat = mask.nonzero().select(1, 2).contiguous(); // rows come in the order of (b, g, position)
        return new KeptSet(flat, [.. counts.Chunk((int)mask.size(1))]);
    }

    /// <summary>One row's positions from plain arrays, a key/value head each.</summary>
    public static KeptSet Of(IReadOnlyList<IReadOnlyList<long>> heads, Device device)
    {
        using var scope = NewDisposeScope();
        long[] flat = [.. heads.SelectMany(head => head)];
        return new KeptSet(
            tensor(flat, device: device),
            [
                [.. heads.Select(head => (long)head.Count)],
            ]
        );
    }

    /// <summary>Kept positions of one row as plain arrays, a key/value head each.</summary>
    public long[][] ToArrays(int row = 0)
    {
        using var scope = NewDisposeScope();
        var flat = Flat.cpu().data<long>().ToArray();
        var start = (int)Counts.Take(row).Sum(counts => counts.Sum());
        var heads = new List<long[]>();
        foreach (var count in Counts[row])
        {
            heads.Add(flat[start..(start + (int)count)]);
            start += (int)count;
        }
        return [.. heads];
    }

    /// <summary>The set as a mask, bool [B, G, N].</summary>
    public Tensor Mask(long length)
    {
        using var scope = NewDisposeScope();
        var (rows, heads) = (Counts.Count, Counts[0].Count);
        var mask = zeros(rows * heads * length, dtype: ScalarType.Bool, device: Flat.device);
        mask.index_fill_(0, Segments() * length + Flat, true);
        return mask.view(rows, heads, length).MoveToOuterDisposeScope();
    }

    /// <summary>The segment <c>b·G + g</c> that each position of <see cref="Flat"/> belongs to, [Σ n] (int64).</summary>
    internal Tensor Segments()
    {
        using var scope = NewDisposeScope();
        long[] counts = [.. Counts.SelectMany(row => row)];
        return arange(counts.Length, device: Flat.device)
            .repeat_interleave(tensor(counts, device: Flat.device), output_size: Total)
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => Flat.Dispose();

    private static long[][] Repeat(long rows, long heads, long count) =>
        [.. Enumerable.Range(0, (int)rows).Select(_ => Enumerable.Repeat(count, (int)heads).ToArray())];
}
