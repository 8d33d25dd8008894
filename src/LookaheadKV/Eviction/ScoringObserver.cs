using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Eviction;

/// <summary>Scores a prompt's layers by a policy as they are handed over; the rows that its scorer watches through, if any, ride in the prompt's pass or follow it.</summary>
internal sealed class ScoringObserver : IRidingObserver, IDisposable
{
    private readonly EvictionPolicy _policy;
    private readonly PromptContext _context;
    private readonly Action<int, LayerRows, Tensor> _next;
    private readonly ObserverPass? _watching;

    /// <summary>Prepares what the scorer watches through: a draft, the answer itself.</summary>
    /// <param name="policy">A policy whose scorer looks at a layer at a time.</param>
    /// <param name="context">The model and the prompt's tokens.</param>
    /// <param name="next">Takes each layer's rows and scores [B,G,N], grouped and pooled, which leave with the layer's scope.</param>
    public ScoringObserver(EvictionPolicy policy, PromptContext context, Action<int, LayerRows, Tensor> next)
    {
        (_policy, _context, _next) = (policy, context, next);
        if (policy.Scorer is IObserverScorer scorer)
            _watching = new ObserverPass(
                context.Decoder,
                scorer.Observe(context),
                context.Ids.size(0),
                context.Ids.size(1),
                (layer, prompt, rows) => Score(layer, prompt, rows)
            );
    }

    /// <inheritdoc/>
    public IObserver? Rider => (_watching as IRidingObserver)?.Rider;

    /// <inheritdoc/>
    public void Layer(int layer, LayerRows prompt)
    {
        if (_watching is null)
            Score(layer, prompt, null);
        else
            _watching.Layer(layer, prompt);
    }

    /// <inheritdoc/>
    public void Layer(int layer, LayerRows prompt, LayerRows riding) => Score(layer, prompt, riding);

    /// <inheritdoc/>
    public void Dispose() => _watching?.Dispose();

    private void Score(int layer, LayerRows prompt, LayerRows? rows)
    {
        using var scope = NewDisposeScope();
        _next(layer, prompt, LayerEviction.Scores(_policy, _context, layer, prompt, rows));
    }
}
