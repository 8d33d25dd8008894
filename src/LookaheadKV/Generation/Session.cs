using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Scoring;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>What a prefill did and cost.</summary>
/// <param name="PromptTokens">N.</param>
/// <param name="KeptTokens">Entries kept, mean over layers and kv heads.</param>
/// <param name="CacheBytes">Bytes of the entries kept, all layers and heads.</param>
/// <param name="PeakCacheBytes">Most bytes that the cache held during the prefill, counted from storage: the compacted layers and one full layer, or all full layers where a policy must see them all.</param>
/// <param name="Elapsed">Time to the first token's logits.</param>
/// <param name="EvictionElapsed">
/// The part of it that eviction took: the rows that a method watches through (a draft, a replay, lookahead tokens), scoring, selection, compaction. Null on a
/// GPU, where that runs beside the prompt's pass: its cost there is what a prefill takes longer than one with the full cache.
/// </param>
public sealed record PrefillReport(
    long PromptTokens,
    double KeptTokens,
    long CacheBytes,
    long PeakCacheBytes,
    TimeSpan Elapsed,
    TimeSpan? EvictionElapsed
);

/// <summary>
/// A prompt on its way to an answer: prefill → evict, layer by layer → decode. A layer's full cache is gone before the next layer starts.
/// All state lives here; models and policies are never changed.
/// </summary>
public sealed class Session : IDisposable
{
    private readonly Decoder _decoder;
    private readonly Execution _execution;
    private readonly SessionSteps _steps;
    private readonly List<int> _tokens;
    private Tensor _nextLogits;
    private int? _unseen; // a token that was given out and that the cache has not seen yet: it goes before whatever comes next
    private int _drawn; // tokens drawn since the last ones that were appended

    private Session(
        Decoder decoder,
        Execution execution,
        KeyValueCache cache,
        Tensor nextLogits,
        PrefillReport report,
        IEnumerable<int> tokens
    )
    {
        (_decoder, _execution, Cache, _nextLogits, Report, _tokens) = (decoder, execution, cache, nextLogits, report, [.. tokens]);
        _steps = new SessionSteps(decoder, cache, execution);
    }

    /// <summary>The cache, evicted.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>Logits of the token behind the cache [1, vocabulary] (float32); behind <see cref="Generate"/>, those that its last token came from.</summary>
    public Tensor NextLogits => _nextLogits;

    /// <summary>What the prefill did and cost.</summary>
    public PrefillReport Report { get; }

    /// <summary>All tokens so far, whether or not the cache still holds them: the prompt, what was appended, and what was drawn.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    /// <summary>Prefills a prompt and evicts each layer as soon as it is scored, or all of them at the end where the policy must see them all.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids, 1..context.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Room for this many tokens of questions and answers.</param>
    /// <param name="cancellation">Looked at before every layer and token.</param>
    /// <param name="execution">How layers run, of the prompt and of what follows; default compiled.</param>
    /// <exception cref="InputException">The prompt does not fit the model, the model cannot run so, or the budget cannot hold what the policy protects.</exception>
    public static Session Start(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        EvictionPolicy policy,
        int reserve = 256,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        policy.Require();
        var way = decoder.Running(execution);
        using var scope = NewDisposeScope();
        var ids = decoder.Ids(prompt);
        var length = ids.size(1);
        var entries = policy is { Scorer: not null, Budget: { } budget }
            ? budget.EntriesFor(length, decoder.Config, ElementSize(decoder), policy.Protection.Count(length))
            : decoder.Config.Layers * length;
        if (entries < decoder.Config.Layers * length)
            decoder.Config.RequireWholeAttention(length);
        var response = new Lazy<int[]>(() => GreedyResponse(decoder, prompt, cancellation: cancellation, execution: way));
        var context = new PromptContext(decoder, ids, response) { Execution = way };
        return Start(decoder, way, ids, prompt, cache => PrefillEviction.Of(policy, context, entries, cache, reserve), cancellation);
    }

    /// <summary>Prefills a prompt and keeps given positions of it: what an earlier run kept, or another program chose.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids, 1..context.</param>
    /// <param name="kept">The positions of each layer.</param>
    /// <param name="reserve">Room for this many tokens of questions and answers.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run, of the prompt and of what follows; default compiled.</param>
    /// <exception cref="InputException">The prompt does not fit the model, the model cannot run so, or the kept positions are of another prompt or model.</exception>
    public static Session Replay(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        KeptPositions kept,
        int reserve = 256,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        var way = decoder.Running(execution);
        kept.Require(prompt.Count, decoder.Config);
        if (kept.MeanCount < prompt.Count)
            decoder.Config.RequireWholeAttention(prompt.Count);
        using var scope = NewDisposeScope();
        KeptSet[] sets = [.. kept.Layers.Select(heads => KeptSet.Of(heads, decoder.Device))];
        try
        {
            return Start(decoder, way, decoder.Ids(prompt), prompt, cache => PrefillEviction.Of(sets, cache, reserve), cancellation);
        }
        finally
        {
            foreach (var set in sets)
                set.Dispose();
        }
    }

    private static Session Start(
        Decoder decoder,
        Execution execution,
        Tensor ids,
        IReadOnlyList<int> prompt,
        Func<KeyValueCache, PrefillEviction> evict,
        CancellationToken cancellation
    )
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var clock = DeviceClock.Start(decoder.Device);
        var length = ids.size(1);
        var cache = new KeyValueCache(length);
        try
        {
            using var eviction = evict(cache);
            var logits = decoder.Logits(PromptPass.ToLastRow(decoder, ids, eviction, execution, cancellation)).squeeze(1);
            eviction.Finish(logits.argmax(-1));
            var report = new PrefillReport(
                length,
                cache.MeanStoredLength,
                cache.Bytes,
                eviction.PeakBytes,
                clock.Elapsed,
                decoder.Device.type == DeviceType.CPU ? eviction.Elapsed : null
            );
            return new Session(decoder, execution, cache, logits.DetachFromDisposeScope(), report, prompt);
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>The model's greedy answer on its full cache, the end token included where it was reached.</summary>
    public static int[] GreedyResponse(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        int maxNewTokens = 512,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        var room = DecodingLoop.Limit(maxNewTokens, decoder.Config.MaxPositions, prompt.Count);
        if (room < 1)
            throw new InputException(
                $"the prompt of {prompt.Count} tokens leaves no room for an answer: the model's context is {decoder.Config.MaxPositions}; shorten the prompt."
            );
        using var session = Start(decoder, prompt, EvictionPolicy.Full, room, cancellation, execution);
        return [.. session.Generate(room, cancellation)];
    }

    /// <summary>
    /// Greedy tokens, one after the other, until an end token (which is returned too) or the limit. Called again, it goes on behind the token that it gave last:
    /// nothing follows an end token until something is appended.
    /// </summary>
    /// <param name="maxNewTokens">Limit; also limited by the reserve, of which the last token needs none, and by the model's context.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    public IEnumerable<int> Generate(int maxNewTokens, CancellationToken cancellation = default) =>
        Draw((logits, _) => logits.argmax(-1, keepdim: true), _decoder.Config.EndTokens, maxNewTokens, cancellation);

    /// <summary>Tokens [1,1] (int64) as they are drawn from the logits, given the number of those drawn before.</summary>
    internal IEnumerable<int> Draw(
        Func<Tensor, int, Tensor> next,
        IReadOnlyCollection<int> endTokens,
        int maxNewTokens,
        CancellationToken cancellation
    )
    {
        if (_unseen is { } last && endTokens.Contains(last))
            yield break;
        using var pending = _unseen is { } token ? Ids(token) : null;
        var limits = DecodingLoop.Limits(_decoder, Cache, maxNewTokens, pending is null ? 0 : 1);
        foreach (var step in DecodingLoop.Run(limits, endTokens, Choose, See, pending, 1, cancellation))
        {
            var drawn = step[0]!.Value;
            _unseen = drawn;
            _tokens.Add(drawn);
            yield return drawn;
        }

        Tensor Choose(int _) => next(_nextLogits, _drawn++);
    }

    /// <summary>
    /// Appends tokens to the cache (a question, a forced answer), behind what was generated, and returns the logits behind each, [T, vocabulary] (float32).
    /// </summary>
    /// <exception cref="InputException">The tokens would stand beyond the model's context.</exception>
    /// <exception cref="InvalidOperationException">They do not fit the reserve.</exception>
    public Tensor Append(IReadOnlyList<int> tokens)
    {
        int[] given = _unseen is { } last ? [last] : [];
        using var scope = NewDisposeScope();
        var logits = Extend(_decoder.Ids([.. given, .. tokens])).narrow(0, given.Length, tokens.Count);
        _drawn = 0;
        _tokens.AddRange(tokens);
        return logits.MoveToOuterDisposeScope();
    }

    // The caller's to dispose of.
    private Tensor Ids(int token)
    {
        using var scope = NewDisposeScope();
        return _decoder.Ids([token]).DetachFromDisposeScope();
    }

    // What was drawn last enters the cache, unless something that was appended since has brought it there.
    private void See(Tensor drawn)
    {
        if (_unseen is not null)
            Extend(drawn).Dispose();
    }

    // The cache has seen everything afterwards.
    private Tensor Extend(Tensor tokens)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = _steps.Extend(tokens)[0];
        _nextLogits.Dispose();
        _nextLogits = logits.narrow(0, tokens.size(1) - 1, 1).clone().DetachFromDisposeScope();
        _unseen = null;
        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Asks something about the context and forgets question and answer afterwards: the next question finds the session as it was.
    /// </summary>
    /// <param name="question">Tokens that follow the context, at least one.</param>
    /// <param name="maxNewTokens">Longest answer.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>The greedy answer, the end token included where it was reached.</returns>
    /// <exception cref="InvalidOperationException">The question does not fit the reserve; an answer ends where the reserve does.</exception>
    public int[] Ask(IReadOnlyList<int> question, int maxNewTokens = 128, CancellationToken cancellation = default)
    {
        var mark = Cache.Mark();
        var (next, unseen, drawn, count) = (_nextLogits.clone().DetachFromDisposeScope(), _unseen, _drawn, _tokens.Count);
        try
        {
            Append(question).Dispose();
            return [.. Generate(maxNewTokens, cancellation)];
        }
        finally
        {
            Cache.RollBack(mark);
            _nextLogits.Dispose();
            (_nextLogits, _unseen, _drawn) = (next, unseen, drawn);
            _tokens.RemoveRange(count, _tokens.Count - count);
        }
    }

    /// <summary>Asks something and keeps question and answer: a dialogue goes on behind them.</summary>
    /// <param name="question">Tokens that follow what was said so far, at least one.</param>
    /// <param name="maxNewTokens">Longest answer.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>The greedy answer, the end token included where it was reached.</returns>
    public int[] Say(IReadOnlyList<int> question, int maxNewTokens = 128, CancellationToken cancellation = default)
    {
        Append(question).Dispose();
        int[] answer = [.. Generate(maxNewTokens, cancellation)];
        if (_unseen is { } last && Cache.Layers.Min(layer => layer.Room) >= 1 && Cache.LogicalLength < _decoder.Config.MaxPositions)
        {
            using var ids = Ids(last);
            Extend(ids).Dispose();
        }
        return answer;
    }

    /// <summary>The positions of the prompt that each layer and head holds, as plain data.</summary>
    /// <param name="policy">What kept them.</param>
    public KeptPositions KeptPositions(EvictionPolicy policy)
    {
        using var scope = NewDisposeScope();
        return new KeptPositions(
            policy.Name,
            policy.Scorer is null ? null : policy.Budget?.ToString(),
            (int)Report.PromptTokens,
            [
                .. Cache.Layers.Select(layer =>
                    (IReadOnlyList<IReadOnlyList<long>>)
                        [
                            .. Enumerable
                                .Range(0, (int)layer.KvHeads)
                                .Select(head => (IReadOnlyList<long>)Prompt(layer.Segment(0, head).Positions)),
                        ]
                ),
            ]
        );

        long[] Prompt(Tensor positions) => [.. positions.cpu().contiguous().data<long>().ToArray().Where(p => p < Report.PromptTokens)];
    }

    /// <summary>A session of its own that goes on from here.</summary>
    /// <param name="reserve">Room for this many tokens to come.</param>
    /// <param name="execution">How its steps run; default as this session's.</param>
    public Session Fork(int reserve = 256, Execution? execution = null) =>
        new(
            _decoder,
            _decoder.Running(execution ?? _execution),
            Cache.Fork(reserve),
            _nextLogits.clone().DetachFromDisposeScope(),
            Report,
            _tokens
        )
        {
            _unseen = _unseen,
            _drawn = _drawn,
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        _steps.Dispose();
        Cache.Dispose();
        _nextLogits.Dispose();
    }

    internal static int ElementSize(Decoder decoder) => (int)decoder.Weights.Embedding.element_size();
}
