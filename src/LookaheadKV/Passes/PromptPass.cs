using LookaheadKV.Attention;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>The pass over the prompt: causal attention on the fused kernel, each layer's rows handed on before the next layer starts.</summary>
public static class PromptPass
{
    /// <summary>Runs all layers over a prompt.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="ids">Prompt [B, N] (int64), rows of one length.</param>
    /// <param name="observer">Takes each layer's rows; they are disposed when it returns, unless it detaches them.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    /// <returns>The rows that leave the last layer, [B, N, E].</returns>
    public static Tensor Run(
        Decoder decoder,
        Tensor ids,
        ILayerObserver observer,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        var way = execution ?? Execution.Compiled;
        return decoder.RunsCompiled(way, ids.size(1))
            ? Compiled(decoder, ids, observer, null, lastRow: false, way, cancellation)
            : Reference(decoder, ids, observer, cancellation);
    }

    /// <summary>The same, with the observer as a function.</summary>
    public static Tensor Run(
        Decoder decoder,
        Tensor ids,
        Action<int, LayerRows> onLayer,
        CancellationToken cancellation = default,
        Execution? execution = null
    ) => Run(decoder, ids, new FunctionObserver(onLayer), cancellation, execution);

    /// <summary>Runs all layers over a prompt, of which only the last row is wanted: it alone goes through the last layer's attention and second half.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="ids">Prompt [B, N] (int64), rows of one length.</param>
    /// <param name="observer">Takes each layer's rows; the rows that it brings ride in the same pass where <see cref="Carries"/> says that they can.</param>
    /// <param name="execution">How layers run.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <returns>The last prompt row as it leaves the last layer, [B, 1, E].</returns>
    internal static Tensor ToLastRow(
        Decoder decoder,
        Tensor ids,
        ILayerObserver observer,
        Execution execution,
        CancellationToken cancellation
    )
    {
        if (decoder.RunsCompiled(execution, ids.size(1)))
        {
            var riding = Carries(decoder, ids, execution) && observer is IRidingObserver { Rider: not null } rider ? rider : null;
            return Compiled(decoder, ids, observer, riding, lastRow: true, execution, cancellation);
        }
        using var scope = NewDisposeScope();
        var hidden = Reference(decoder, ids, observer, cancellation);
        return hidden.narrow(1, ids.size(1) - 1, 1).clone().MoveToOuterDisposeScope();
    }

    /// <summary>Whether observer rows can ride in the pass over a prompt.</summary>
    internal static bool Carries(Decoder decoder, Tensor ids, Execution execution) =>
        (execution.ObserversRide ?? decoder.Device.type == DeviceType.CUDA)
        && decoder.RunsCompiled(execution, ids.size(1))
        && ids.size(0) == 1;

    private static Tensor Reference(Decoder decoder, Tensor ids, ILayerObserver observer, CancellationToken cancellation)
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
            observer.Layer(layer, rows);
            hidden = next.MoveToOuterDisposeScope();
        }
        return hidden.MoveToOuterDisposeScope();
    }

    // Two calls a layer, so that each layer can be evicted before the next one starts, and on a GPU beside its own second half.
    private static Tensor Compiled(
        Decoder decoder,
        Tensor ids,
        ILayerObserver observer,
        IRidingObserver? riding,
        bool lastRow,
        Execution execution,
        CancellationToken cancellation
    )
    {
        using var scope = NewDisposeScope();
        var rider = riding?.Rider;
        var length = ids.size(1);
        var hidden = decoder.Embed(ids);
        var angles = decoder.Angles(0, length);
        if (rider is not null)
        {
            hidden = cat([hidden, rider.Embed(decoder, ids.size(0))], 1);
            // Angles of their own: a scaling that looks at the sequence's length must not see the prompt as longer than it is.
            angles = angles.Then(decoder.Angles(length, hidden.size(1) - length));
            decoder.Config.RequireWholeAttention(hidden.size(1));
        }
        var behind = hidden.size(1) - length;
        var following = riding is null ? null : LayerRows.Following(length, behind, decoder.Device);
        var call = decoder.Call(angles);
        using var side = lastRow && execution.EvictsBeside ? SideStream.Of(decoder.Device) : null;
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var last = lastRow && layer == decoder.Config.Layers - 1;
            var lora = rider?.Lora(layer)?.Packed(decoder.Config, decoder.DType);
            var weights = decoder.Weights.Layers[layer].Apart;
            var result = PromptScript.Attend(execution, call, hidden, weights, lora, (int)behind, last);
            hidden.Dispose();
            var rows = new LayerRows(result[0], result[1], result[2]);
            using (side?.Enter())
                if (riding is null)
                    observer.Layer(layer, rows);
                else
                    riding.Layer(
                        layer,
                        Part(rows, 0, length),
                        Part(rows, length, behind) with
                        {
                            JoinedKeys = rows.Keys,
                            Positions = following,
                        }
                    );
            hidden = PromptScript.Feed(execution, call, result[3], weights, lora, last ? 0 : (int)behind).MoveToOuterDisposeScope();
            // The rows' memory is given to others from here on.
            side?.Join();
        }
        return hidden.MoveToOuterDisposeScope();
    }

    private static LayerRows Part(LayerRows rows, long first, long count) =>
        new(rows.Queries.narrow(2, first, count), rows.Keys.narrow(2, first, count), rows.Values.narrow(2, first, count));

    private sealed class FunctionObserver(Action<int, LayerRows> onLayer) : ILayerObserver
    {
        public void Layer(int layer, LayerRows prompt) => onLayer(layer, prompt);
    }
}
