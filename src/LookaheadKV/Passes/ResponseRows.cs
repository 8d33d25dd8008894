using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>Tokens of an answer as observer rows: teacher forcing over the prompt's cache.</summary>
/// <param name="Ids">The answer's tokens, M ≥ 1.</param>
public sealed record ResponseRows(IReadOnlyList<int> Ids) : IObserver
{
    /// <inheritdoc/>
    public Tensor Embed(Decoder decoder, long batch)
    {
        using var scope = NewDisposeScope();
        return decoder.Embed(decoder.Ids(Ids).expand(batch, Ids.Count)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public LayerLora? Lora(int layer) => null;
}
