using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// Carries observer rows through the model, a layer at a time, over the keys and values that the prompt has in that layer, or those that are kept of it.
/// Under the causal mask this equals one pass over [prompt; observer], and the prompt's own rows are not even in the same product.
/// Where the prompt's pass can carry them along (<see cref="PromptPass"/>), they ride in it instead.
/// </summary>
public sealed class ObserverPass : IRidingObserver, IDisposable
{
    private readonly Decoder _decoder;
    private readonly IObserver _observer;
    private readonly long _batch;
    private readonly long _first;
    private readonly Action<int, LayerRows, LayerRows> _next;
    private Tensor? _hidden; // none where they ride
    private Tensor? _visible;

    /// <summary>Prepares the pass; nothing runs before the first layer comes.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="observer">The rows, n of them.</param>
    /// <param name="batch">B, rows of the prompt's batch.</param>
    /// <param name="first">Position of the first row: the tokens before it, of which not every entry need be there any more.</param>
    /// <param name="next">Takes each layer's rows of the prompt, and the observer's: queries [B,H,n,D], keys and values [B,G,n,D].</param>
    public ObserverPass(Decoder decoder, IObserver observer, long batch, long first, Action<int, LayerRows, LayerRows> next)
    {
        (_decoder, _observer, _batch, _first, _next) = (decoder, observer, batch, first, next);
    }

    IObserver IRidingObserver.Rider => _observer;

    /// <inheritdoc/>
    public void Layer(int layer, LayerRows prompt) => _next(layer, prompt, Carry(layer, prompt));

    void IRidingObserver.Layer(int layer, LayerRows prompt, LayerRows riding) => _next(layer, prompt, riding);

    /// <inheritdoc/>
    public void Dispose()
    {
        _hidden?.Dispose();
        _visible?.Dispose();
    }

    private LayerRows Carry(int layer, LayerRows prompt)
    {
        using var scope = NewDisposeScope();
        _hidden ??= _observer.Embed(_decoder, _batch).DetachFromDisposeScope();
        var count = _hidden.size(1);
        _decoder.Config.RequireWholeAttention(_first + count);
        var lora = _observer.Lora(layer);
        var rows = _decoder.Project(layer, _hidden, _decoder.Angles(_first, count), lora);
        // Nothing is read of the rows behind the last layer.
        if (layer < _decoder.Config.Layers - 1)
        {
            var visible = Visible(prompt.Keys.size(2), count);
            var attended = FusedAttention.Visible(
                rows.Queries,
                cat([prompt.Keys, rows.Keys], 2),
                cat([prompt.Values, rows.Values], 2),
                visible
            );
            var next = _decoder.Finish(layer, _hidden, attended, lora).DetachFromDisposeScope();
            _hidden.Dispose();
            _hidden = next;
        }
        return new LayerRows(
            rows.Queries.MoveToOuterDisposeScope(),
            rows.Keys.MoveToOuterDisposeScope(),
            rows.Values.MoveToOuterDisposeScope()
        )
        {
            Positions = LayerRows.Following(_first, count, _decoder.Device).MoveToOuterDisposeScope(),
        };
    }

    // The rows see every entry before them, and each other as far as they follow; layers that hold equally many share the mask.
    private Tensor Visible(long stored, long count)
    {
        if (_visible?.size(3) != stored + count)
        {
            _visible?.Dispose();
            _visible = FusedAttention.SuffixMask(stored, count, stored + count, _decoder.Device).DetachFromDisposeScope();
        }
        return _visible;
    }
}
