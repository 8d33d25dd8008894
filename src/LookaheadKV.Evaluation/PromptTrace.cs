using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation;

/// <summary>
/// One prefill, remembered: each layer's rows, so that any number of policies and budgets can score and evict from it. It holds the full
/// cache and all queries of the prompt: for studies of small models, not for serving.
/// </summary>
public sealed class PromptTrace : IDisposable
{
    private readonly Decoder _decoder;
    private readonly Execution _execution;
    private readonly List<LayerRows> _layers = [];
    private readonly Lazy<int[]> _response;
    private readonly IReadOnlyList<int> _question;

    /// <summary>Prefills a prompt.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids, N: what is scored and evicted.</param>
    /// <param name="guess">A likely answer; verified in one pass before it is taken for the model's own. Null: always generate.</param>
    /// <param name="question">Token ids that follow the prompt after eviction (query-agnostic); none by default.</param>
    /// <param name="maxResponse">Longest greedy answer.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run, of the prompt and of what follows; default compiled.</param>
    /// <exception cref="InputException">The prompt does not fit the model, or the model cannot run so.</exception>
    public PromptTrace(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        IReadOnlyList<int>? guess = null,
        IReadOnlyList<int>? question = null,
        int maxResponse = 256,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        _execution = decoder.Running(execution);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _decoder = decoder;
        _question = question ?? [];
        Prompt = prompt;
        Ids = decoder.Ids(prompt).DetachFromDisposeScope();
        var hidden = PromptPass.Run(decoder, Ids, Remember, cancellation, _execution);
        using var first = decoder.Logits(hidden.narrow(1, prompt.Count - 1, 1)).argmax(-1);
        NextToken = (int)first.item<long>();
        _response = new(() =>
            guess is not null && IsGreedy(guess)
                ? [.. guess]
                : Session.GreedyResponse(decoder, [.. prompt, .. _question], maxResponse, cancellation, _execution)
        );
    }

    /// <summary>The prompt's tokens.</summary>
    public IReadOnlyList<int> Prompt { get; }

    /// <summary>The tokens that follow the prompt after eviction; none where the question is part of the prompt.</summary>
    public IReadOnlyList<int> Question => _question;

    /// <summary>The prompt [1, N] (int64).</summary>
    public Tensor Ids { get; }

    /// <summary>Each layer's queries [1,H,N,D], keys and values [1,G,N,D].</summary>
    public IReadOnlyList<LayerRows> Layers => _layers;

    /// <summary>The token that the last prompt row predicts, whatever is evicted afterwards: the answer's first, where no question follows.</summary>
    public int NextToken { get; }

    /// <summary>The model's own greedy answer on the full cache, the end token included.</summary>
    public IReadOnlyList<int> Response => _response.Value;

    /// <summary>What observers may know of the prompt.</summary>
    public PromptContext Context => new(_decoder, Ids, new Lazy<int[]>(() => [.. _question, .. Response])) { Execution = _execution };

    /// <summary>Scores of every layer, grouped and pooled, [1,G,N] each.</summary>
    /// <param name="policy">A policy with a scorer.</param>
    /// <param name="count">C, entries a layer and head on average, for methods whose scores depend on it.</param>
    public IReadOnlyList<Tensor> Scores(EvictionPolicy policy, long count)
    {
        policy.Require();
        _decoder.Config.RequireWholeAttention(Prompt.Count);
        using var noGrad = no_grad();
        if (policy.Scorer is IWholePromptScorer whole)
            return PromptEviction.Scores(policy, whole, new WholePrompt(Context, _layers, NextToken), count);
        using var scope = NewDisposeScope();
        var scores = new List<Tensor>();
        using var scoring = new ScoringObserver(policy, Context, (_, _, layer) => scores.Add(layer.MoveToOtherDisposeScope(scope)));
        _layers.HandTo(scoring);
        return [.. scores.Select(layer => layer.MoveToOuterDisposeScope())];
    }

    /// <summary>Carries observer rows over this prompt.</summary>
    /// <param name="observer">The rows.</param>
    /// <param name="onLayer">Takes each layer's rows of the prompt, and the observer's, which are disposed when it returns, unless it detaches them.</param>
    public void Observe(IObserver observer, Action<int, LayerRows, LayerRows> onLayer)
    {
        using var noGrad = no_grad();
        using var pass = new ObserverPass(_decoder, observer, 1, Prompt.Count, onLayer);
        _layers.HandTo(pass);
    }

    /// <summary>The cache that holds what is kept of each layer; null keeps everything.</summary>
    public KeyValueCache Evict(IReadOnlyList<KeptSet>? kept, long reserve)
    {
        if (kept is not null)
            _decoder.Config.RequireWholeAttention(Prompt.Count);
        using var noGrad = no_grad();
        var cache = new KeyValueCache(Prompt.Count);
        for (var layer = 0; layer < _layers.Count; layer++)
            cache.Add(
                kept is null
                    ? LayerEviction.KeepAll(_layers[layer], reserve)
                    : Compaction.Keep(_layers[layer].Keys, _layers[layer].Values, kept[layer], reserve)
            );
        return cache;
    }

    /// <summary>
    /// Whether greedy decoding over a cache gives exactly this answer: teacher-forced, every token is the most likely one after those before
    /// it. One pass, and equal to generating and comparing. The cache is consumed; it needs room for question and answer.
    /// </summary>
    public bool Answers(KeyValueCache cache, IReadOnlyList<int> answer)
    {
        if (_question.Count == 0 && NextToken != answer[0])
            return false;
        int[] forced = [.. _question, .. answer.Take(answer.Count - 1)];
        if (forced.Length == 0)
            return true;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = Extend(cache, forced);
        var predicted = logits[0].argmax(-1).cpu().data<long>().ToArray();
        var known = Math.Max(0, _question.Count - 1); // rows within the question predict nothing that is asked for
        return predicted.Skip(known).Select(id => (int)id).SequenceEqual(_question.Count == 0 ? answer.Skip(1) : answer);
    }

    /// <summary>
    /// The greedy answer over a cache, the end token included where it is reached. The cache is consumed; it needs room for question and
    /// answer.
    /// </summary>
    /// <param name="cache">What is left of this prompt.</param>
    /// <param name="maxNewTokens">Longest answer; also limited as <see cref="DecodingLoop.Limit"/> says.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    public int[] Generate(KeyValueCache cache, int maxNewTokens, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        var first = _question.Count == 0 ? NextToken : AfterQuestion();
        return [.. DecodingLoop.Greedy(_decoder, cache, first, maxNewTokens, cancellation: cancellation, execution: _execution)];

        int AfterQuestion()
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            return (int)Extend(cache, _question)[0, ^1].argmax(-1).item<long>();
        }
    }

    /// <summary>Appends tokens to a cache of this prompt, as <see cref="Decoding.Extend"/> does, run as the prompt was.</summary>
    internal Tensor Extend(KeyValueCache cache, IReadOnlyList<int> tokens, Action<int, LayerRows>? onLayer = null) =>
        Decoding.Extend(_decoder, cache, _decoder.Ids(tokens), onLayer, _execution);

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        foreach (var rows in _layers)
            rows.Dispose();
    }

    private void Remember(int layer, LayerRows rows) => _layers.Add(rows.Detach());

    private bool IsGreedy(IReadOnlyList<int> guess)
    {
        if (guess.Count == 0 || !_decoder.Config.EndTokens.Contains(guess[^1]))
            return false;
        using var cache = Evict(null, _question.Count + guess.Count);
        return Answers(cache, guess);
    }
}
