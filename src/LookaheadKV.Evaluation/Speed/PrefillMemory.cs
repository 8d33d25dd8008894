using LookaheadKV.Models;
using LookaheadKV.Passes;

namespace LookaheadKV.Evaluation.Speed;

/// <summary>
/// Bytes that an evicting prefill needs on its device at the most, from the shape alone: the weights, the activations of the layer at work, that layer's
/// keys and values, the compacted cache, and the observers' attention weights, which have a stream of their own and so memory of their own. The peak is in
/// the feed-forward block, whose rows go through in chunks, or at the attention of long prompts, which has queries and its result, of all rows, side by side.
/// </summary>
/// <param name="Weights">Every weight once.</param>
/// <param name="Activations">The residual stream, the layer's queries, and one chunk of the feed-forward block or the attention's result, whichever is more.</param>
/// <param name="FullLayer">Keys and values of one layer, all rows.</param>
/// <param name="Cache">The compacted cache of all layers, with its room for answers and its positions.</param>
/// <param name="Scoring">The observers' attention weights, float32.</param>
public sealed record PrefillMemory(long Weights, long Activations, long FullLayer, long Cache, long Scoring)
{
    /// <summary>All of it.</summary>
    public long Total => Weights + Activations + FullLayer + Cache + Scoring;

    /// <summary>The memory of a compiled pass over one prompt.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="length">N, tokens of the prompt.</param>
    /// <param name="observers">n, rows that ride behind it.</param>
    /// <param name="entries">Entries kept, a layer and head.</param>
    /// <param name="reserve">Room for this many tokens of answer.</param>
    /// <param name="elementSize">Bytes of a weight, an activation and a cached number.</param>
    public static PrefillMemory Predict(DecoderConfig shape, long length, long observers, double entries, long reserve, int elementSize)
    {
        var rows = length + observers;
        // Chunks of so many rows, the last up to twice as long.
        var chunk = rows < 2 * PromptScript.FeedForwardRows ? rows : PromptScript.FeedForwardRows + rows % PromptScript.FeedForwardRows;
        var (width, heads) = ((long)shape.Width, (long)shape.QueryHeads * shape.HeadSize);
        var attend = rows * (width + 2 * heads);
        var feed = rows * (width + heads) + chunk * (width + 2L * shape.IntermediateSize);
        var weights = DecoderWeights.Shapes(shape).Sum(weight => weight.Shape.Aggregate(1L, (product, size) => product * size));
        var slots = (long)((entries + reserve) * shape.KeyValueHeads * shape.Layers);
        return new(
            weights * elementSize,
            Math.Max(attend, feed) * elementSize,
            2 * rows * shape.KeyValueHeads * shape.HeadSize * elementSize,
            slots * (2L * shape.HeadSize * elementSize + sizeof(long)),
            observers * shape.QueryHeads * rows * sizeof(float)
        );
    }
}
