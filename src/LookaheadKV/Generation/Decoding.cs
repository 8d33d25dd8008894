using LookaheadKV.Attention;
using LookaheadKV.Cache;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>Appending tokens to a cache, one or several at a time. A row's mask comes from the positions that each layer and head really holds.</summary>
public static class Decoding
{
    /// <summary>Runs tokens over the cache and appends their keys and values.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="cache">The cache; the new tokens stand at its logical lengths.</param>
    /// <param name="ids">Tokens [B, T] (int64).</param>
    /// <returns>Logits [B, T, vocabulary] (float32).</returns>
    /// <exception cref="InputException">The tokens would stand beyond the model's context.</exception>
    public static Tensor Extend(Decoder decoder, KeyValueCache cache, Tensor ids)
    {
        using var scope = NewDisposeScope();
        var count = ids.size(1);
        var end = cache.LogicalLengths.Max() + count;
        if (end > decoder.Config.MaxPositions)
            throw new InputException(
                $"{end} tokens do not fit the model's context of {decoder.Config.MaxPositions}; append fewer or shorten the prompt."
            );
        var positions = tensor(cache.LogicalLengths, device: decoder.Device).unsqueeze(1) + arange(count, device: decoder.Device); // [B,T]
        var angles =
            cache.LogicalLengths.Distinct().Count() == 1 ? decoder.Angles(cache.LogicalLengths[0], count) : decoder.AnglesAt(positions);
        var window = decoder.Config.SlidingWindow;
        var entries = positions.unsqueeze(1); // [B,1,T]: the same for every kv head
        var hidden = decoder.Embed(ids);
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var inner = NewDisposeScope();
            var stored = cache.Layers[layer];
            var rows = decoder.Project(layer, hidden, angles);
            stored.Append(rows.Keys, rows.Values, entries);
            var visible = count == 1 && !stored.HasGaps && !(end > window) ? null : Visible(stored.Positions, positions, window);
            var attended = FusedAttention.Visible(rows.Queries, stored.Keys, stored.Values, visible);
            hidden = decoder.Finish(layer, hidden, attended).MoveToOuterDisposeScope();
        }
        cache.Advance(count);
        return decoder.Logits(hidden).MoveToOuterDisposeScope();
    }

    /// <summary>Which entries each row sees, bool [B,G,T,n]: those that exist and stand at or before it, within its window.</summary>
    /// <param name="stored">Positions of a layer's entries [B,G,n], -1 where there is none.</param>
    /// <param name="rows">Positions of the rows [B,T].</param>
    /// <param name="window">A row sees this many positions, its own included; null when it sees all before it.</param>
    public static Tensor Visible(Tensor stored, Tensor rows, int? window = null)
    {
        using var scope = NewDisposeScope();
        var entry = stored.unsqueeze(2); // [B,G,1,n]
        var row = rows.unsqueeze(1).unsqueeze(-1); // [B,1,T,1]
        var visible = entry.ge(0).logical_and(entry.le(row));
        return (window is { } w ? visible.logical_and(entry.gt(row - w)) : visible).MoveToOuterDisposeScope();
    }
}
