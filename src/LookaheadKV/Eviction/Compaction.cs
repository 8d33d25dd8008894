using LookaheadKV.Cache;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>The one physical step: kept entries are copied into storage of their own, so that dropping the full layer frees its memory.</summary>
public static class Compaction
{
    /// <summary>Copies the kept keys and values.</summary>
    /// <param name="keys">Post-RoPE keys [B,G,N,D] of positions 0..N-1.</param>
    /// <param name="values">Values [B,G,N,D].</param>
    /// <param name="kept">Which positions stay.</param>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <returns>A cache whose storage holds exactly C + reserve entries a head.</returns>
    public static LayerCache Keep(Tensor keys, Tensor values, KeptSet kept, long reserve = 0)
    {
        using var scope = NewDisposeScope();
        var (b, g, d) = (keys.size(0), keys.size(1), keys.size(3));
        var cache = new LayerCache(b, g, kept.Count + reserve, d, keys.dtype, keys.device);
        var index = kept.Positions.unsqueeze(-1).expand(b, g, kept.Count, d); // [B,G,C] → [B,G,C,D]
        cache.Append(keys.gather(2, index), values.gather(2, index), kept.Positions);
        return cache;
    }
}
