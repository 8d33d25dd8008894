using LookaheadKV.Cache;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>The one physical step: kept entries are copied into storage of their own, so that dropping the full layer frees its memory.</summary>
public static class Compaction
{
    /// <summary>Copies the kept keys and values of a prompt.</summary>
    /// <param name="keys">Post-RoPE keys [B,G,N,D] of positions 0..N-1.</param>
    /// <param name="values">Values [B,G,N,D].</param>
    /// <param name="kept">Which positions stay.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <returns>A layer whose storage holds exactly n + reserve entries a head, n being what that head keeps.</returns>
    public static DenseLayer Keep(Tensor keys, Tensor values, KeptSet kept, long reserve = 0)
    {
        using var scope = NewDisposeScope();
        var (b, g, d) = (keys.size(0), keys.size(1), keys.size(3));
        long[] counts = [.. kept.Counts.SelectMany(row => row)];
        var layer = new DenseLayer(b, g, [.. counts.Select(n => n + reserve)], d, keys.dtype, keys.device);
        if (kept.IsRectangular)
            layer.AppendOf(keys, values, kept.Positions);
        else
        {
            var segment = kept.Segments();
            TensorIndex[] index =
            [
                TensorIndex.Tensor(segment.div(g, RoundingMode.floor)),
                TensorIndex.Tensor(segment.remainder(g)),
                TensorIndex.Tensor(kept.Flat),
            ];
            layer.Append(keys.index(index), values.index(index), kept.Flat, counts); // [Σ n, D]
        }
        return layer;
    }

    /// <summary>Copies some of a layer's entries: eviction in the middle of a conversation. The layer itself stays as it is.</summary>
    /// <param name="layer">A layer.</param>
    /// <param name="kept">Which entries stay, by their place in the segment, counted from its first entry.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    public static ICacheLayer Keep(ICacheLayer layer, KeptSet kept, long reserve = 0)
    {
        long[] counts = [.. kept.Counts.SelectMany(row => row)];
        return layer.Keep(kept.Flat, counts, reserve);
    }
}
