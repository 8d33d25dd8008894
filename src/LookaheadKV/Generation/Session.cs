using System.Diagnostics;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>What a prefill did and cost.</summary>
/// <param name="PromptTokens">N.</param>
/// <param name="KeptTokens">Entries kept a layer and kv head.</param>
/// <param name="CacheBytes">Bytes of the entries kept, all layers and heads.</param>
/// <param name="PeakCacheBytes">Most bytes that the cache held during the prefill, counted from storage: the compacted layers and one full layer.</param>
/// <param name="Elapsed">Time to the first token's logits.</param>
/// <param name="EvictionElapsed">The part of it spent on scoring, selection and compaction.</param>
public sealed record PrefillReport(
    long PromptTokens,
    long KeptTokens,
    long CacheBytes,
    long PeakCacheBytes,
    TimeSpan Elapsed,
    TimeSpan EvictionElapsed
);

/// <summary>
/// A prompt on its way to an answer: prefill → evict, layer by layer → decode. A layer's full cache is gone before the next layer starts.
/// All state lives here; models and policies are never changed.
/// </summary>
public sealed class Session : IDisposable
{
    private readonly Decoder _decoder;
    private Tensor _nextLogits;

    private Session(Decoder decoder, KeyValueCache cache, Tensor nextLogits, PrefillReport report)
    {
        (_decoder, Cache, _nextLogits, Report) = (decoder, cache, nextLogits, report);
    }

    /// <summary>The cache, evicted.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>Logits of the next token [1, vocabulary] (float32).</summary>
    public Tensor NextLogits => _nextLogits;

    /// <summary>What the prefill did and cost.</summary>
    public PrefillReport Report { get; }

    /// <summary>Prefills a prompt and evicts each layer as soon as it is scored.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids, 1..context.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Room for this many tokens of answer.</param>
    /// <param name="cancellation">Looked at before every layer and token.</param>
    /// <exception cref="InputException">The prompt does not fit the model, or the budget cannot hold what the policy protects.</exception>
    public static Session Start(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        EvictionPolicy policy,
        int reserve = 256,
        CancellationToken cancellation = default
    )
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var ids = decoder.Ids(prompt);
        var length = ids.size(1);
        var kept = policy is { Scorer: not null, Budget: { } budget }
            ? budget.TokensFor(length, decoder.Config, ElementSize(decoder))
            : length;
        if (kept < length)
            decoder.Config.RequireWholeAttention(length);
        var (total, eviction) = (Stopwatch.StartNew(), new Stopwatch());
        var context = Context(decoder, ids, prompt, cancellation);
        using var observer =
            kept < length && policy.Scorer is IObserverScorer scorer
                ? new ObserverPass(decoder, scorer.Observe(context), 1, length)
                : null;

        var cache = new KeyValueCache(length);
        var peak = 0L;
        try
        {
            var hidden = PromptPass.Run(decoder, ids, Layer, cancellation);
            var logits = decoder.Logits(hidden.narrow(1, length - 1, 1)).squeeze(1).DetachFromDisposeScope();
            var report = new PrefillReport(length, kept, cache.Bytes, peak, total.Elapsed, eviction.Elapsed);
            return new Session(decoder, cache, logits, report);
        }
        catch
        {
            cache.Dispose();
            throw;
        }

        void Layer(int layer, LayerRows rows)
        {
            eviction.Start();
            if (kept == length)
                cache.Add(LayerEviction.KeepAll(rows, reserve));
            else
            {
                LayerRows? watching = observer?.Layer(layer, rows, layer == decoder.Config.Layers - 1);
                var scores = LayerEviction.Scores(policy, context, layer, rows, watching);
                cache.Add(LayerEviction.Evict(rows, scores, kept, policy.Protection, reserve));
            }
            eviction.Stop();
            peak = Math.Max(peak, cache.StorageBytes + StorageBytesOf.Tensor(rows.Keys) + StorageBytesOf.Tensor(rows.Values));
        }
    }

    /// <summary>The model's greedy answer on its full cache, the end token included where it was reached.</summary>
    public static int[] GreedyResponse(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        int maxNewTokens = 512,
        CancellationToken cancellation = default
    )
    {
        var room = Math.Min(maxNewTokens, decoder.Config.MaxPositions - prompt.Count);
        if (room < 1)
            throw new InputException(
                $"the prompt of {prompt.Count} tokens leaves no room for an answer: the model's context is {decoder.Config.MaxPositions}; shorten the prompt."
            );
        using var session = Start(decoder, prompt, Policies.Full, room, cancellation);
        return [.. session.Generate(room, cancellation)];
    }

    /// <summary>Greedy tokens, one after the other, until an end token (which is returned too) or the limit.</summary>
    /// <param name="maxNewTokens">Limit; also limited by the reserve and by the model's context.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    public IEnumerable<int> Generate(int maxNewTokens, CancellationToken cancellation = default)
    {
        var room = Math.Min(maxNewTokens, _decoder.Config.MaxPositions - Cache.LogicalLength);
        for (var i = 0; i < room; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var best = _nextLogits.argmax(-1);
            var token = (int)best.item<long>();
            yield return token;
            if (_decoder.Config.EndTokens.Contains(token) || i == room - 1)
                yield break;
            Append([token]).Dispose();
        }
    }

    /// <summary>Appends tokens to the cache (a question, a forced answer) and returns the logits behind each, [T, vocabulary] (float32).</summary>
    public Tensor Append(IReadOnlyList<int> tokens)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = Decoding.Extend(_decoder, Cache, _decoder.Ids(tokens))[0];
        _nextLogits.Dispose();
        _nextLogits = logits.narrow(0, tokens.Count - 1, 1).clone().DetachFromDisposeScope();
        return logits.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Cache.Dispose();
        _nextLogits.Dispose();
    }

    internal static int ElementSize(Decoder decoder) => (int)decoder.Weights.Embedding.element_size();

    private static PromptContext Context(Decoder decoder, Tensor ids, IReadOnlyList<int> prompt, CancellationToken cancellation) =>
        new(decoder, ids, new Lazy<int[]>(() => GreedyResponse(decoder, prompt, cancellation: cancellation)));
}
