using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// Carries observer rows through the model, a layer at a time, over the keys and values that the prompt has in that layer.
/// Under the causal mask this equals one pass over [prompt; observer], and the prompt's own rows are not even in the same product.
/// </summary>
public sealed class ObserverPass : IDisposable
{
    private readonly Decoder _decoder;
    private readonly IObserver _observer;
    private readonly long _promptLength;
    private readonly Tensor _visible;
    private Tensor _hidden;

    /// <summary>Starts with the observer's embeddings.</summary>
    public ObserverPass(Decoder decoder, IObserver observer, long batch, long promptLength)
    {
        (_decoder, _observer, _promptLength) = (decoder, observer, promptLength);
        _hidden = observer.Embed(decoder, batch);
        decoder.Config.RequireWholeAttention(promptLength + Rows);
        _hidden.DetachFromDisposeScope();
        _visible = FusedAttention.SuffixMask(promptLength, Rows, promptLength + Rows, decoder.Device).DetachFromDisposeScope();
    }

    /// <summary>n, the number of observer rows.</summary>
    public long Rows => _hidden.size(1);

    /// <summary>The rows as they leave the last layer that was passed, [B, n, E].</summary>
    public Tensor Hidden => _hidden;

    /// <summary>The observer's queries, keys and values in the next layer; call once a layer, in order.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">The prompt's rows in that layer.</param>
    /// <param name="isLast">Whether nothing will be read of the rows behind this layer, so that its second half can be left out.</param>
    public LayerRows Layer(int layer, LayerRows prompt, bool isLast)
    {
        using var scope = NewDisposeScope();
        var lora = _observer.Lora(layer);
        var rows = _decoder.Project(layer, _hidden, _decoder.Angles(_promptLength, Rows), lora);
        if (!isLast)
        {
            var attended = FusedAttention.Visible(
                rows.Queries,
                cat([prompt.Keys, rows.Keys], 2),
                cat([prompt.Values, rows.Values], 2),
                _visible
            );
            var next = _decoder.Finish(layer, _hidden, attended, lora).DetachFromDisposeScope();
            _hidden.Dispose();
            _hidden = next;
        }
        return new LayerRows(
            rows.Queries.MoveToOuterDisposeScope(),
            rows.Keys.MoveToOuterDisposeScope(),
            rows.Values.MoveToOuterDisposeScope()
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hidden.Dispose();
        _visible.Dispose();
    }
}
