using System.Diagnostics;
using LookaheadKV.Budgeting;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>What happens to each layer's rows during a prefill: the way from full layers to the cache that stays.</summary>
internal abstract class PrefillEviction(KeyValueCache cache, long reserve) : IRidingObserver, IDisposable
{
    private readonly Stopwatch _clock = new();
    private TimeSpan _before;

    /// <summary>Time that the host spent here, from what a method prepares before the pass to the last layer's compaction.</summary>
    public TimeSpan Elapsed => _before + _clock.Elapsed;

    /// <summary>Most bytes that compacted and full layers held together, counted from storage.</summary>
    public long PeakBytes { get; private set; }

    protected KeyValueCache Cache => cache;

    protected long Reserve => reserve;

    /// <summary>The way of a policy.</summary>
    public static PrefillEviction Of(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
    {
        var start = Stopwatch.GetTimestamp();
        var way = Choose(policy, context, entries, cache, reserve);
        way._before = Stopwatch.GetElapsedTime(start); // an observer may have had to be written first: a draft, the answer itself
        return way;
    }

    private static PrefillEviction Choose(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
    {
        var (config, length) = (context.Decoder.Config, context.Ids.size(1));
        if (entries == config.Layers * length)
            return Whole(cache, reserve);
        if (policy.NeedsWholePrompt)
            return new Afterwards(policy, context, entries, cache, reserve);
        var counts = LayerBudgets.Divide(policy.Layers, entries, config.Layers, length, policy.Protection.Count(length));
        return new LayerByLayer(policy, context, counts, cache, reserve);
    }

    /// <summary>The way that keeps everything.</summary>
    public static PrefillEviction Whole(KeyValueCache cache, long reserve) => new Everything(cache, reserve);

    /// <summary>The way that keeps what an earlier run kept.</summary>
    public static PrefillEviction Of(IReadOnlyList<KeptSet> kept, KeyValueCache cache, long reserve) => new Replay(kept, cache, reserve);

    /// <inheritdoc/>
    public virtual IObserver? Rider => null;

    /// <inheritdoc/>
    public void Layer(int layer, LayerRows prompt)
    {
        _clock.Start();
        Take(layer, prompt);
        _clock.Stop();
        Watch(prompt);
    }

    /// <inheritdoc/>
    public void Layer(int layer, LayerRows prompt, LayerRows riding)
    {
        _clock.Start();
        Take(layer, prompt, riding);
        _clock.Stop();
        Watch(prompt);
    }

    /// <summary>Completes the cache after the last layer.</summary>
    /// <param name="next">The token that the last prompt row predicts, [1, 1].</param>
    public void Finish(Tensor next)
    {
        _clock.Start();
        Complete(next);
        _clock.Stop();
    }

    public virtual void Dispose() { }

    protected abstract void Take(int layer, LayerRows rows);

    protected virtual void Take(int layer, LayerRows rows, LayerRows riding) => Take(layer, rows);

    protected virtual void Complete(Tensor next) { }

    protected void Watch(params IEnumerable<LayerRows> full) =>
        PeakBytes = Math.Max(
            PeakBytes,
            cache.StorageBytes + full.Sum(rows => StorageBytesOf.Tensor(rows.Keys) + StorageBytesOf.Tensor(rows.Values))
        );

    protected void Keep(LayerRows rows, KeptSet kept)
    {
        using (kept)
            cache.Add(Compaction.Keep(rows.Keys, rows.Values, kept, reserve));
    }

    /// <summary>Nothing is evicted.</summary>
    private sealed class Everything(KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows) => Cache.Add(LayerEviction.KeepAll(rows, Reserve));
    }

    /// <summary>What is kept is known.</summary>
    private sealed class Replay(IReadOnlyList<KeptSet> kept, KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows) => Cache.Add(Compaction.Keep(rows.Keys, rows.Values, kept[layer], Reserve));
    }

    /// <summary>Each layer is scored and compacted before the next one starts: one full layer at a time.</summary>
    private sealed class LayerByLayer : PrefillEviction
    {
        private readonly ScoringObserver _scoring;
        private readonly RankCheck _check = new();

        public LayerByLayer(EvictionPolicy policy, PromptContext context, long[] counts, KeyValueCache cache, long reserve)
            : base(cache, reserve)
        {
            _scoring = new(
                policy,
                context,
                (layer, rows, scores) => Keep(rows, LayerEviction.Select(policy, scores, counts[layer], _check))
            );
        }

        public override IObserver? Rider => _scoring.Rider;

        public override void Dispose()
        {
            _scoring.Dispose();
            _check.Dispose();
        }

        protected override void Take(int layer, LayerRows rows) => _scoring.Layer(layer, rows);

        protected override void Take(int layer, LayerRows rows, LayerRows riding) => _scoring.Layer(layer, rows, riding);

        protected override void Complete(Tensor next) => _check.Complete();
    }

    /// <summary>All full layers are held until the last one has passed: for methods and budgets that must see them all.</summary>
    private sealed class Afterwards : PrefillEviction
    {
        private readonly EvictionPolicy _policy;
        private readonly PromptContext _context;
        private readonly long _entries;
        private readonly ScoringObserver? _scoring; // null: the method scores all layers at the end
        private readonly List<LayerRows> _layers = [];
        private readonly List<Tensor> _scores = [];

        public Afterwards(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
            : base(cache, reserve)
        {
            (_policy, _context, _entries) = (policy, context, entries);
            if (policy.Scorer is not IWholePromptScorer)
                _scoring = new(policy, context, (_, _, scores) => _scores.Add(scores.DetachFromDisposeScope()));
        }

        public override IObserver? Rider => _scoring?.Rider;

        public override void Dispose()
        {
            _scoring?.Dispose();
            foreach (var rows in _layers)
                rows.Dispose();
            foreach (var scores in _scores)
                scores.Dispose();
        }

        protected override void Take(int layer, LayerRows rows)
        {
            _scoring?.Layer(layer, rows);
            _layers.Add(rows.Detach());
        }

        protected override void Take(int layer, LayerRows rows, LayerRows riding)
        {
            _scoring!.Layer(layer, rows, riding);
            _layers.Add(rows.Detach());
        }

        protected override void Complete(Tensor next)
        {
            if (_policy.Scorer is IWholePromptScorer scorer)
            {
                var prompt = new WholePrompt(_context, _layers, (int)next.item<long>());
                foreach (var scores in PromptEviction.Scores(_policy, scorer, prompt, _entries / _layers.Count))
                    _scores.Add(scores.DetachFromDisposeScope());
            }
            var kept = PromptEviction.Select(_policy, _scores, _entries);
            foreach (var set in kept)
            {
                Keep(_layers[0], set);
                Watch(_layers);
                _layers[0].Dispose();
                _layers.RemoveAt(0);
            }
        }
    }
}
