using System.Diagnostics;
using LookaheadKV.Budgeting;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>What happens to each layer's rows during a prefill: the way from full layers to the cache that stays.</summary>
internal abstract class PrefillEviction(KeyValueCache cache, long reserve) : IDisposable
{
    private readonly Stopwatch _clock = new();

    /// <summary>Time spent here.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Most bytes that compacted and full layers held together, counted from storage.</summary>
    public long PeakBytes { get; private set; }

    protected KeyValueCache Cache => cache;

    protected long Reserve => reserve;

    /// <summary>The way of a policy.</summary>
    public static PrefillEviction Of(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
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
    public void Layer(int layer, LayerRows rows)
    {
        _clock.Start();
        Take(layer, rows);
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

    protected abstract void Take(int layer, LayerRows rows);

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

    private static ObserverPass? ObserverOf(EvictionPolicy policy, PromptContext context) =>
        policy.Scorer is IObserverScorer scorer
            ? new ObserverPass(context.Decoder, scorer.Observe(context), context.Ids.size(0), context.Ids.size(1))
            : null;

    private static Tensor Scores(EvictionPolicy policy, PromptContext context, ObserverPass? observer, int layer, LayerRows rows)
    {
        LayerRows? watching = observer?.Layer(layer, rows, layer == context.Decoder.Config.Layers - 1);
        return LayerEviction.Scores(policy, context, layer, rows, watching);
    }

    /// <summary>Nothing is evicted.</summary>
    private sealed class Whole(KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows) => Cache.Add(LayerEviction.KeepAll(rows, Reserve));
    }

    /// <summary>What is kept is known.</summary>
    private sealed class Replay(IReadOnlyList<KeptSet> kept, KeyValueCache cache, long reserve) : PrefillEviction(cache, reserve)
    {
        protected override void Take(int layer, LayerRows rows) => Cache.Add(Compaction.Keep(rows.Keys, rows.Values, kept[layer], Reserve));
    }

    /// <summary>Each layer is scored and compacted before the next one starts: one full layer at a time.</summary>
    private sealed class LayerByLayer(EvictionPolicy policy, PromptContext context, long[] counts, KeyValueCache cache, long reserve)
        : PrefillEviction(cache, reserve)
    {
        private readonly ObserverPass? _observer = ObserverOf(policy, context);

        public override void Dispose() => _observer?.Dispose();

        protected override void Take(int layer, LayerRows rows)
        {
            using var scope = NewDisposeScope();
            Keep(rows, LayerEviction.Select(policy, Scores(policy, context, _observer, layer, rows), counts[layer]));
        }
    }

    /// <summary>All full layers are held until the last one has passed: for methods and budgets that must see them all.</summary>
    private sealed class Afterwards(EvictionPolicy policy, PromptContext context, long entries, KeyValueCache cache, long reserve)
        : PrefillEviction(cache, reserve)
    {
        private readonly ObserverPass? _observer = ObserverOf(policy, context);
        private readonly List<LayerRows> _layers = [];
        private readonly List<Tensor> _scores = [];

        public override void Dispose()
        {
            _observer?.Dispose();
            foreach (var rows in _layers)
                rows.Dispose();
            foreach (var scores in _scores)
                scores.Dispose();
        }

        protected override void Take(int layer, LayerRows rows)
        {
            if (policy.Scorer is not IWholePromptScorer)
                _scores.Add(Scores(policy, context, _observer, layer, rows).DetachFromDisposeScope());
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
