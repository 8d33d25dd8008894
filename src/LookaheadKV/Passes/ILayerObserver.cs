using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>Who is handed the layers of a prompt, first to last: live by <see cref="PromptPass"/>, or from memory by <see cref="RememberedLayers"/>.</summary>
public interface ILayerObserver
{
    /// <summary>Takes a layer's rows, within a dispose scope of their own: what shall stay must leave it.</summary>
    /// <param name="layer">0..L-1, in order.</param>
    /// <param name="prompt">Queries [B,H,N,D], keys and values [B,G,N,D].</param>
    void Layer(int layer, LayerRows prompt);
}

/// <summary>One that may have rows of its own behind the prompt, which a pass can carry along.</summary>
internal interface IRidingObserver : ILayerObserver
{
    /// <summary>The rows; null: none.</summary>
    IObserver? Rider { get; }

    /// <summary>Takes a layer's rows of the prompt, and those of <see cref="Rider"/>, which rode in the same pass.</summary>
    void Layer(int layer, LayerRows prompt, LayerRows riding);
}

/// <summary>Layers of a prompt that are remembered, handed on as a pass hands them on.</summary>
public static class RememberedLayers
{
    /// <summary>Hands every layer to an observer.</summary>
    /// <param name="layers">Each layer's rows.</param>
    /// <param name="observer">Who takes them.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    public static void HandTo(this IReadOnlyList<LayerRows> layers, ILayerObserver observer, CancellationToken cancellation = default)
    {
        for (var layer = 0; layer < layers.Count; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            observer.Layer(layer, layers[layer]);
        }
    }
}
