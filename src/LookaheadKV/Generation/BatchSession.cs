using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>
/// Several prompts of any lengths answered together. Each is prefilled and evicted alone, so that there is no padding that could score or be kept;
/// their caches are then stacked and decoded in step. A row gives what it gives alone.
/// </summary>
public sealed class BatchSession : IDisposable
{
    private readonly Decoder _decoder;
    private readonly SessionSteps _steps;
    private readonly int _reserve;
    private Tensor _nextLogits;

    private BatchSession(Decoder decoder, KeyValueCache cache, Tensor nextLogits, IReadOnlyList<PrefillReport> reports, int reserve)
    {
        (_decoder, Cache, _nextLogits, Reports, _reserve) = (decoder, cache, nextLogits, reports, reserve);
        _steps = new SessionSteps(decoder, cache);
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
    /// <exception cref="InputException">There is no prompt, one does not fit the model, or the budget cannot hold what the policy protects.</exception>
    public static BatchSession Start(
        Decoder decoder,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        EvictionPolicy policy,
        int reserve = 256,
        CancellationToken cancellation = default
    )
    {
        if (prompts.Count == 0)
            throw new InputException("there is no prompt; give at least one.");
        using var scope = NewDisposeScope();
        var rows = new List<Session>();
        try
        {
            foreach (var prompt in prompts)
                rows.Add(Session.Start(decoder, prompt, policy, 0, cancellation));
            var cache = CacheStacking.Stack([.. rows.Select(row => row.Cache)], reserve);
            var logits = cat([.. rows.Select(row => row.NextLogits)]).DetachFromDisposeScope();
            return new BatchSession(decoder, cache, logits, [.. rows.Select(row => row.Report)], reserve);
        }
        finally
        {
            foreach (var row in rows)
                row.Dispose();
        }
    }

    /// <summary>Greedy answers of all rows; a row's end token is returned with it, and a row that has ended waits for the others.</summary>
    /// <param name="maxNewTokens">Limit of each answer; also limited by the reserve and by the model's context.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    public int[][] Generate(int maxNewTokens, CancellationToken cancellation = default)
    {
        var room = (int)Math.Min(Math.Min(maxNewTokens, _reserve + 1), _decoder.Config.MaxPositions - Cache.LogicalLengths.Max());
        var answers = Cache.LogicalLengths.Select(_ => new List<int>()).ToArray();
        for (var step = 0; step < room; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var tokens = MostLikely(_nextLogits);
            foreach (var (answer, token) in answers.Zip(tokens))
                if (!Ended(answer))
                    answer.Add(token);
            if (answers.All(Ended) || step == room - 1)
                break;
            Append([.. tokens.Select(token => new[] { token })]).Dispose();
        }
        return [.. answers.Select(answer => answer.ToArray())];
    }

    /// <summary>Appends equally many tokens to every row and returns the logits behind each, [B, T, vocabulary] (float32).</summary>
    public Tensor Append(IReadOnlyList<IReadOnlyList<int>> tokens)
    {
        if (tokens.Count != Cache.LogicalLengths.Length || tokens.Any(row => row.Count != tokens[0].Count))
            throw new ArgumentException($"give equally many tokens for each of the {Cache.LogicalLengths.Length} rows.");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = _steps.Extend(cat([.. tokens.Select(_decoder.Ids)]));
        _nextLogits.Dispose();
        _nextLogits = logits.select(1, tokens[0].Count - 1).clone().DetachFromDisposeScope();
        return logits.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _steps.Dispose();
        Cache.Dispose();
        _nextLogits.Dispose();
    }

    private static int[] MostLikely(Tensor logits)
    {
        using var scope = NewDisposeScope();
        return [.. logits.argmax(-1).cpu().data<long>().Select(id => (int)id)];
    }

    private bool Ended(List<int> answer) => answer.Count > 0 && _decoder.Config.EndTokens.Contains(answer[^1]);
}
