using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>Rows appended after a prompt only to watch where they attend; they never enter the cache.</summary>
public interface IObserver
{
    /// <summary>The rows' embeddings [B, n, E].</summary>
    Tensor Embed(Decoder decoder, long batch);

    /// <summary>Low-rank deltas active on these rows in a layer; null for the base model.</summary>
    LayerLora? Lora(int layer);
}
