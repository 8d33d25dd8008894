using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// Carries observer rows through the model, a layer at a time, over the keys and values that the prompt has in that layer.
/// Under the causal mask this equals one pass over [prompt; observer], and the prompt's own rows are not even in the same product.
/// Where the prompt's pass can carry them along (<see cref="PromptPass"/>), they ride in it instead.
/// </summary>
public sealed class ObserverPass : IRidingObserver, IDisposable
{
    private readonly Decoder _decoder;
    private readonly IObserver _observer;
    private readonly long _batch;
    private readonly long _promptLength;
    private readonly Action<int, LayerRows, LayerRows> _next;
    private Tensor? _hidden; // none where they ride
    private Tensor? _visible;

    /// <summary>Prepares the pass; nothing runs before the first layer comes.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="observer">The rows, n of them.</param>
    /// <param name="batch">B, rows of the prompt's batch.</param>
    /// <param name="promptLength">N.</param>
    /// <param name="next">Takes each layer's rows of the prompt, and the observer's: queries [B,H,n,D], keys and values [B,G,n,D] at positions N..N+n-1.</param>
    public ObserverPass(Decoder decoder, IObserver observer, long batch, long promptLength, Action<int, LayerRows, LayerRows> next)
    {
        (_decoder, _observer, _batch, _promptLength, _next) = (decoder, observer, batch, promptLength, next);
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
        _decoder.Config.RequireWholeAttention(_promptLength + count);
        var lora = _observer.Lora(layer);
        var rows = _decoder.Project(layer, _hidden, _decoder.Angles(_promptLength, count), lora);
        // Nothing is read of the rows behind the last layer.
        if (layer < _decoder.Config.Layers - 1)
        {
            _visible ??= FusedAttention.SuffixMask(_promptLength, count, _promptLength + count, _decoder.Device).DetachFromDisposeScope();
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
}
