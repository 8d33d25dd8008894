using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>
/// Several prompts answered together. Of any lengths: each is prefilled and evicted alone, so that there is no padding that could score or be kept, and
/// their caches are stacked. Of one length and nothing evicted: one pass over all of them. All rows are decoded in step; a row gives what it gives alone.
/// </summary>
public sealed class BatchSession : IDisposable
{
    private readonly Decoder _decoder;
    private readonly SessionSteps _steps;
    private readonly int _reserve;
    private Tensor _nextLogits;
    private readonly List<int>[] _tokens; // of each row, as Session.Tokens
    private bool _isAnswered;

    private BatchSession(
        Decoder decoder,
        Execution execution,
        KeyValueCache cache,
        Tensor nextLogits,
        IReadOnlyList<PrefillReport> reports,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int reserve
    )
    {
        (_decoder, Cache, _nextLogits, Reports, _reserve) = (decoder, cache, nextLogits, reports, reserve);
        _tokens = [.. prompts.Select(prompt => prompt.ToList())];
        _steps = new SessionSteps(decoder, cache, execution);
    }

    /// <summary>The rows' caches, stacked.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>Logits of each row's next token [B, vocabulary] (float32).</summary>
    public Tensor NextLogits => _nextLogits;

    /// <summary>What each row's prefill did and cost.</summary>
    public IReadOnlyList<PrefillReport> Reports { get; }

    /// <summary>Prefills and evicts prompts one after the other.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompts">Token ids of each row, at least one row.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Room for this many tokens of answer in each row.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    /// <exception cref="InputException">There is no prompt, the model cannot run so, one does not fit the model, or the budget cannot hold what the policy protects.</exception>
    public static BatchSession Start(
        Decoder decoder,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        EvictionPolicy policy,
        int reserve = 256,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        if (prompts.Count == 0)
            throw new InputException("there is no prompt; give at least one.");
        using var scope = NewDisposeScope();
        var rows = new List<Session>();
        try
        {
            foreach (var prompt in prompts)
                rows.Add(Session.Start(decoder, prompt, policy, 0, cancellation, execution));
            var cache = CacheStacking.Stack([.. rows.Select(row => row.Cache)], reserve);
            var logits = cat([.. rows.Select(row => row.NextLogits)]).DetachFromDisposeScope();
            return new BatchSession(
                decoder,
                decoder.Running(execution),
                cache,
                logits,
                [.. rows.Select(row => row.Report)],
                prompts,
                reserve
            );
        }
        finally
        {
            foreach (var row in rows)
                row.Dispose();
        }
    }

    /// <summary>Prefills prompts of one length in one pass and evicts nothing.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompts">Token ids of each row, at least one row, all of one length.</param>
    /// <param name="reserve">Room for this many tokens of answer in each row.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    /// <exception cref="InputException">There is no prompt, the model cannot run so, or the prompts do not fit the model.</exception>
    /// <exception cref="ArgumentException">The prompts differ in length.</exception>
    public static BatchSession StartWhole(
        Decoder decoder,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int reserve = 256,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        if (prompts.Count == 0)
            throw new InputException("there is no prompt; give at least one.");
        if (prompts.Any(prompt => prompt.Count != prompts[0].Count))
            throw new ArgumentException("prompts of different lengths cannot share a pass; start them one by one.");
        var way = decoder.Running(execution);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var clock = DeviceClock.Start(decoder.Device);
        var length = prompts[0].Count;
        var cache = new KeyValueCache([.. prompts.Select(_ => (long)length)]);
        try
        {
            var ids = cat([.. prompts.Select(decoder.Ids)]);
            using var whole = PrefillEviction.Whole(cache, reserve);
            var hidden = PromptPass.ToLastRow(decoder, ids, whole, way, cancellation);
            var logits = decoder.Logits(hidden).squeeze(1).DetachFromDisposeScope();
            var bytes = cache.Bytes / prompts.Count;
            var report = new PrefillReport(length, length, bytes, bytes, clock.Elapsed, TimeSpan.Zero);
            return new BatchSession(decoder, way, cache, logits, [.. prompts.Select(_ => report)], prompts, reserve);
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>Greedy answers of all rows, once; a row's end token is returned with it, and a row that has ended waits for the others.</summary>
    /// <param name="maxNewTokens">Limit of each answer; also limited by the reserve and, row by row, by the model's context.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    public int[][] Generate(int maxNewTokens, CancellationToken cancellation = default) =>
        Generate(maxNewTokens, [], (logits, _) => logits.argmax(-1, keepdim: true), StepsUnseen, cancellation);

    /// <summary>The same with more tokens that end an answer, each row's tokens drawn its own way.</summary>
    /// <param name="maxNewTokens">Limit of each answer; also limited by the reserve and, row by row, by the model's context.</param>
    /// <param name="sampling">How each row's tokens are drawn.</param>
    /// <param name="endTokens">Tokens that end an answer, beside those of the model's configuration.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    public int[][] Sample(
        int maxNewTokens,
        IReadOnlyList<SamplingOptions> sampling,
        IEnumerable<int>? endTokens = null,
        CancellationToken cancellation = default
    )
    {
        if (sampling.Count != Cache.LogicalLengths.Count)
            throw new ArgumentException($"give sampling options for each of the {Cache.LogicalLengths.Count} rows.");
        int[] ends = [.. endTokens ?? []];
        return sampling.All(options => options is { Temperature: 0, RepetitionPenalty: 1 })
            ? Generate(maxNewTokens, ends, (logits, _) => logits.argmax(-1, keepdim: true), StepsUnseen, cancellation)
            : Generate(maxNewTokens, ends, Drawn, 1, cancellation);

        Tensor Drawn(Tensor logits, int step)
        {
            using var host = logits.cpu();
            int[] tokens = [.. sampling.Select((options, row) => Sampling.Next(host[row], options, step, _tokens[row]))];
            foreach (var (row, token) in tokens.Index())
                _tokens[row].Add(token);
            return tensor([.. tokens.Select(token => (long)token)], device: logits.device).unsqueeze(1);
        }
    }

    private int StepsUnseen => DecodingLoop.StepsUnseen(_decoder.Device);

    // `choose` makes tokens [B,1] of logits [B,vocabulary].
    private int[][] Generate(
        int maxNewTokens,
        int[] endTokens,
        Func<Tensor, int, Tensor> choose,
        int unseen,
        CancellationToken cancellation
    )
    {
        RequireUnanswered();
        _isAnswered = true;
        using var noGrad = no_grad();
        HashSet<int> ends = [.. _decoder.Config.EndTokens, .. endTokens];
        var answers = Cache.LogicalLengths.Select(_ => new List<int>()).ToArray();
        var limits = DecodingLoop.Limits(_decoder, Cache, maxNewTokens);
        foreach (var step in DecodingLoop.Run(limits, ends, Choose, Extend, null, unseen, cancellation))
        foreach (var (row, said) in step.Index())
            if (said is { } token)
                answers[row].Add(token);
        return [.. answers.Select(answer => answer.ToArray())];

        Tensor Choose(int step) => choose(_nextLogits, step);

        // Also beyond the context: a row that has come there waits for the others.
        void Extend(Tensor tokens) => Keep(_steps.Run(tokens));
    }

    /// <summary>Appends equally many tokens to every row and returns the logits behind each, [B, T, vocabulary] (float32).</summary>
    public Tensor Append(IReadOnlyList<IReadOnlyList<int>> tokens)
    {
        RequireUnanswered();
        if (tokens.Count != Cache.LogicalLengths.Count || tokens.Any(row => row.Count != tokens[0].Count))
            throw new ArgumentException($"give equally many tokens for each of the {Cache.LogicalLengths.Count} rows.");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = _steps.Extend(cat([.. tokens.Select(_decoder.Ids)]));
        Keep(logits);
        foreach (var (row, more) in tokens.Index())
            _tokens[row].AddRange(more);
        return logits.MoveToOuterDisposeScope();
    }

    // Of logits [B,T,vocabulary], those behind the last tokens.
    private void Keep(Tensor logits)
    {
        _nextLogits.Dispose();
        _nextLogits = logits.select(1, logits.size(1) - 1).clone().DetachFromDisposeScope();
    }

    // Rows end at different tokens, and those that waited hold more than they said: nothing can follow.
    private void RequireUnanswered()
    {
        if (_isAnswered)
            throw new InvalidOperationException("this batch has been answered; start another one for what follows.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _steps.Dispose();
        Cache.Dispose();
        _nextLogits.Dispose();
    }
}
