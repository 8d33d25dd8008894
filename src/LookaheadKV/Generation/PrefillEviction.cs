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
internal abstract class PrefillEviction(KeyValueCache cache, long reserve) : IDisposable
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
            return new Whole(cache, reserve);
        if (policy.NeedsWholePrompt)
            return new Afterwards(policy, context, entries, cache, reserve);
        var counts = LayerBudgets.Divide(policy.Layers, entries, config.Layers, length, policy.Protection.Count(length));
        return new LayerByLayer(policy, context, counts, cache, reserve);
    }

    /// <summary>The way that keeps what an earlier run kept.</summary>
    public static PrefillEviction Of(IReadOnlyList<KeptSet> kept, KeyValueCache cache, long reserve) => new Replay(kept, cache, reserve);

    /// <summary>Takes a layer's rows; they are disposed afterwards unless detached.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="rows">The prompt's rows.</param>
    /// <param name="watching">The rows of <see cref="Rider"/>, where there is one.</param>
    public void Layer(int layer, LayerRows rows, LayerRows? watching)
    {
        _clock.Start();
        Take(layer, rows, watching);
        _clock.Stop();
        Watch(rows);
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

    /// <summary>The observer whose rows shall ride in the prompt's pass; null where there is none, or where it follows in a pass of its own.</summary>
    public virtual IObserver? Rider => null;

    protected abstract void Take(int layer, LayerRows rows, LayerRows? watching);

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

    /// <summary>The rows that a policy's scorer watches through, if any: they ride in the prompt's pass, or follow it.</summary>
    private sealed class Watching(EvictionPolicy policy, PromptContext context) : IDisposable
    {
        private readonly ObserverPass? _follower;

        public Watching(EvictionPolicy policy, PromptContext context, IObserverScorer scorer)
            : this(policy, context)
        {
            var observer = scorer.Observe(context);
            if (PromptPass.Carries(context.Decoder, context.Ids))
                Rider = observer;
            else
                _follower = new ObserverPass(context.Decoder, observer, context.Ids.size(0), context.Ids.size(1));
        }

        public IObserver? Rider { get; }

        public static Watching Of(EvictionPolicy policy, PromptContext context) =>
            policy.Scorer is IObserverScorer scorer ? new Watching(policy, context, scorer) : new Watching(policy, context);

        public Tensor Scores(int layer, LayerRows rows, LayerRows? riding)
        {
            var watching = riding ?? _follower?.Layer(layer, rows, layer == context.Decoder.Config.Layers - 1);
            return LayerEviction.Scores(policy, context, layer, rows, watching);
        }

        public void Dispose() => _follower?.Dispose();
    }

    /// <summary>Nothing is evicted.</summary>
    private sealed class Whole(KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows, LayerRows? watching) => Cache.Add(LayerEviction.KeepAll(rows, Reserve));
    }

    /// <summary>What is kept is known.</summary>
    private sealed class Replay(IReadOnlyList<KeptSet> kept, KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows, LayerRows? watching) =>
            Cache.Add(Compaction.Keep(rows.Keys, rows.Values, kept[layer], Reserve));
    }

    /// <summary>Each layer is scored and compacted before the next one starts: one full layer at a time.</summary>
    private sealed class LayerByLayer(EvictionPolicy policy, PromptContext context, long[] counts, KeyValueCache cache, long reserve)
        : PrefillEviction(cache, reserve)
    {
        private readonly Watching _watching = Watching.Of(policy, context);
        private readonly RankCheck _check = new();

        public override IObserver? Rider => _watching.Rider;

        public override void Dispose()
        {
            _watching.Dispose();
            _check.Dispose();
        }

        protected override void Take(int layer, LayerRows rows, LayerRows? watching)
        {
            using var scope = NewDisposeScope();
            Keep(rows, LayerEviction.Select(policy, _watching.Scores(layer, rows, watching), counts[layer], _check));
        }

        protected override void Complete(Tensor next) => _check.Complete();
    }

    /// <summary>All full layers are held until the last one has passed: for methods and budgets that must see them all.</summary>
    private sealed class Afterwards(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
        : PrefillEviction(cache, reserve)
    {
        private readonly Watching _watching = Watching.Of(policy, context);
        private readonly List<LayerRows> _layers = [];
        private readonly List<Tensor> _scores = [];

        public override IObserver? Rider => _watching.Rider;

        public override void Dispose()
        {
            _watching.Dispose();
            foreach (var rows in _layers)
                rows.Dispose();
            foreach (var scores in _scores)
                scores.Dispose();
        }

        protected override void Take(int layer, LayerRows rows, LayerRows? watching)
        {
            if (policy.Scorer is not IWholePromptScorer)
                _scores.Add(_watching.Scores(layer, rows, watching).DetachFromDisposeScope());
            _layers.Add(rows.Detach());
        }

        protected override void Complete(Tensor next)
        {
            if (policy.Scorer is IWholePromptScorer scorer)
            {
                var prompt = new WholePrompt(context, _layers, (int)next.item<long>());
                foreach (var scores in PromptEviction.Scores(policy, scorer, prompt, entries / _layers.Count))
                    _scores.Add(scores.DetachFromDisposeScope());
            }
            var kept = PromptEviction.Select(policy, _scores, entries);
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
