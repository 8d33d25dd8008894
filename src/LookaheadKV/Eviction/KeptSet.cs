using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>
/// The positions that stay in one layer, [B, G, C] (int64): strictly increasing along C for every row and key/value head.
/// </summary>
public sealed class KeptSet(Tensor positions) : IDisposable
{
    /// <summary>Kept positions [B, G, C], int64.</summary>
    public Tensor Positions => positions;

    /// <summary>C, how many positions each head keeps.</summary>
    public long Count => positions.size(2);

    /// <summary>Kept positions of one row as plain arrays, a key/value head each.</summary>
    public long[][] ToArrays(int row = 0)
    {
        using var scope = NewDisposeScope();
        var flat = positions[row].cpu().contiguous().data<long>().ToArray();
        return [.. flat.Chunk((int)Count)];
    }

    /// <inheritdoc/>
    public void Dispose() => positions.Dispose();
}
