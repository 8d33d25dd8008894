using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>The pass over the prompt: causal attention on the fused kernel, each layer's rows handed on before the next layer starts.</summary>
public static class PromptPass
{
    /// <summary>Runs all layers over a prompt.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="ids">Prompt [B, N] (int64), rows of one length.</param>
    /// <param name="onLayer">Receives each layer's queries [B,H,N,D], keys and values [B,G,N,D]; they are disposed when it returns, unless it detaches them.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <returns>The rows that leave the last layer, [B, N, E].</returns>
    public static Tensor Run(Decoder decoder, Tensor ids, Action<int, LayerRows> onLayer, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var hidden = decoder.Embed(ids);
        var angles = decoder.Angles(0, ids.size(1));
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var rows = decoder.Project(layer, hidden, angles);
            var attended = FusedAttention.Causal(rows.Queries, rows.Keys, rows.Values, decoder.Config.SlidingWindow);
            var next = decoder.Finish(layer, hidden, attended);
            attended.Dispose();
            hidden.Dispose();
            onLayer(layer, rows);
            hidden = next.MoveToOuterDisposeScope();
        }
        return hidden.MoveToOuterDisposeScope();
    }
}
