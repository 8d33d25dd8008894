using LookaheadKV.Cache;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>Appending tokens to a cache, one or several at a time. A row's mask comes from the positions that each layer and head really holds.</summary>
public static class Decoding
{
    /// <summary>Runs tokens over the cache and appends their keys and values.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="cache">The cache; the new tokens stand at its logical lengths.</param>
    /// <param name="ids">Tokens [B, T] (int64).</param>
    /// <param name="onLayer">Receives the new rows of each layer; they are disposed when it returns, unless it detaches them.</param>
    /// <param name="execution">How one token a row runs; default compiled.</param>
    /// <returns>Logits [B, T, vocabulary] (float32).</returns>
    /// <exception cref="InputException">The tokens would stand beyond the model's context.</exception>
    public static Tensor Extend(
        Decoder decoder,
        KeyValueCache cache,
        Tensor ids,
        Action<int, LayerRows>? onLayer = null,
        Execution? execution = null
    )
    {
        RequireContext(decoder, cache, ids.size(1));
        return Run(decoder, cache, ids, execution ?? Execution.Compiled, onLayer);
    }

    /// <summary>The same, also beyond the model's context, where what comes out means nothing.</summary>
    internal static Tensor Run(
        Decoder decoder,
        KeyValueCache cache,
        Tensor ids,
        Execution execution,
        Action<int, LayerRows>? onLayer = null
    )
    {
        using var scope = NewDisposeScope();
        var count = ids.size(1);
        var end = cache.LogicalLengths.Max() + count;
        var positions = tensor(cache.LogicalLengths.ToArray(), device: decoder.Device).unsqueeze(1) + arange(count, device: decoder.Device); // [B,T]
        var angles =
            cache.LogicalLengths.Distinct().Count() == 1 ? decoder.Angles(cache.LogicalLengths[0], count) : decoder.AnglesAt(positions);
        if (count == 1 && decoder.RunsCompiled(execution, end) && StepStorage(cache) is { } storage)
            return Step(decoder, cache, storage, ids, execution, positions, angles, onLayer).MoveToOuterDisposeScope();
        var entries = positions.unsqueeze(1); // [B,1,T]: the same for every kv head
        var window = decoder.Config.SlidingWindow;
        var hidden = decoder.Embed(ids);
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var inner = NewDisposeScope();
            var stored = cache.Layers[layer];
            var rows = decoder.Project(layer, hidden, angles);
            stored.Append(rows.Keys, rows.Values, entries);
            onLayer?.Invoke(layer, rows with { Positions = entries });
            var attended = stored.Attend(rows.Queries, positions, end > window ? window : null);
            hidden = decoder.Finish(layer, hidden, attended).MoveToOuterDisposeScope();
        }
        cache.Advance(count);
        return decoder.Logits(hidden).MoveToOuterDisposeScope();
    }

    /// <summary>Makes sure that so many more tokens fit.</summary>
    /// <exception cref="InputException">They end beyond the model's context.</exception>
    internal static void RequireContext(Decoder decoder, KeyValueCache cache, long count)
    {
        var end = cache.LogicalLengths.Max() + count;
        if (end > decoder.Config.MaxPositions)
            throw new InputException(
                $"{end} tokens do not fit the model's context of {decoder.Config.MaxPositions}; append fewer or shorten the prompt."
            );
    }

    /// <summary>What a compiled step reads and writes in each layer; null where a layer has none, so that steps run as written.</summary>
    internal static IReadOnlyList<IStepStorage>? StepStorage(KeyValueCache cache)
    {
        var storage = new IStepStorage[cache.Layers.Count];
        for (var layer = 0; layer < storage.Length; layer++)
        {
            if (cache.Layers[layer].StepStorage is not { } own)
                return null;
            storage[layer] = own;
        }
        return storage;
    }

    // One token a row, every entry visible to it: all layers in one call. Masks, windows and several tokens run as written above.
    private static Tensor Step(
        Decoder decoder,
        KeyValueCache cache,
        IReadOnlyList<IStepStorage> storage,
        Tensor ids,
        Execution execution,
        Tensor positions,
        RotaryAngles angles,
        Action<int, LayerRows>? onLayer
    )
    {
        foreach (var layer in storage)
            layer.RequireRoom(1);
        var result = StepScript.Step(
            execution,
            decoder.Call(angles),
            ids,
            decoder.Weights,
            [.. storage.Select(layer => layer.Keys)],
            [.. storage.Select(layer => layer.Values)],
            [.. storage.Select(layer => layer.Positions)],
            tensor(storage.Select(layer => layer.EvenLength ?? -1).ToArray()),
            [.. storage.Select(layer => layer.EvenLength is null ? layer.Spans(1) : LayerSlots.None)],
            [.. storage.Select(layer => layer.EvenLength is null ? layer.Ends : LayerSlots.None)],
            positions,
            onLayer is not null
        );
        foreach (var layer in storage)
            layer.Count(1);
        cache.Advance(1);
        for (var layer = 0; layer < cache.Layers.Count && onLayer is not null; layer++)
            onLayer(
                layer,
                new LayerRows(result[1 + 3 * layer], result[2 + 3 * layer], result[3 + 3 * layer]) { Positions = positions.unsqueeze(1) }
            );
        return result[0];
    }
}
