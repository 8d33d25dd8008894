using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
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
    private readonly List<LayerRows> _layers = [];
    private readonly Lazy<int[]> _response;

    /// <summary>Prefills a prompt.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids, N.</param>
    /// <param name="guess">A likely answer; verified in one pass before it is taken for the model's own. Null: always generate.</param>
    /// <param name="maxResponse">Longest greedy answer.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    public PromptTrace(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        IReadOnlyList<int>? guess = null,
        int maxResponse = 256,
        CancellationToken cancellation = default
    )
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _decoder = decoder;
        Prompt = prompt;
        Ids = decoder.Ids(prompt).DetachFromDisposeScope();
        var hidden = PromptPass.Run(decoder, Ids, Remember, cancellation);
        using var first = decoder.Logits(hidden.narrow(1, prompt.Count - 1, 1)).argmax(-1);
        FirstToken = (int)first.item<long>();
        _response = new(() =>
            guess is not null && IsGreedy(guess) ? [.. guess] : Session.GreedyResponse(decoder, prompt, maxResponse, cancellation)
        );
    }

    /// <summary>The prompt's tokens.</summary>
    public IReadOnlyList<int> Prompt { get; }

    /// <summary>The prompt [1, N] (int64).</summary>
    public Tensor Ids { get; }

    /// <summary>Each layer's queries [1,H,N,D], keys and values [1,G,N,D].</summary>
    public IReadOnlyList<LayerRows> Layers => _layers;

    /// <summary>The first answer token: it comes from the last prompt row, whatever is evicted afterwards.</summary>
    public int FirstToken { get; }

    /// <summary>The model's own greedy answer on the full cache, the end token included.</summary>
    public IReadOnlyList<int> Response => _response.Value;

    /// <summary>What observers may know of the prompt.</summary>
    public PromptContext Context => new(_decoder, Ids, _response);

    /// <summary>Scores of every layer, grouped and pooled, [1,G,N] each.</summary>
    public IReadOnlyList<Tensor> Scores(EvictionPolicy policy)
    {
        _decoder.Config.RequireWholeAttention(Prompt.Count);
        using var noGrad = no_grad();
        using var pass = policy.Scorer is IObserverScorer scorer ? Observe(scorer.Observe(Context)) : null;
        var scores = new List<Tensor>();
        for (var layer = 0; layer < _layers.Count; layer++)
        {
            using var scope = NewDisposeScope();
            LayerRows? rows = pass?.Layer(layer, _layers[layer], layer == _layers.Count - 1);
            scores.Add(LayerEviction.Scores(policy, Context, layer, _layers[layer], rows).MoveToOuterDisposeScope());
        }
        return scores;
    }

    /// <summary>Carries observer rows over this prompt.</summary>
    public ObserverPass Observe(IObserver observer) => new(_decoder, observer, 1, Prompt.Count);

    /// <summary>The cache that a policy's scores keep at a budget of <paramref name="count"/> entries; null scores keep everything.</summary>
    public KeyValueCache Evict(IReadOnlyList<Tensor>? scores, long count, Protection protection, long reserve)
    {
        using var noGrad = no_grad();
        var cache = new KeyValueCache(Prompt.Count);
        for (var layer = 0; layer < _layers.Count; layer++)
            cache.Add(
                scores is null || count >= Prompt.Count
                    ? LayerEviction.KeepAll(_layers[layer], reserve)
                    : LayerEviction.Evict(_layers[layer], scores[layer], count, protection, reserve)
            );
        return cache;
    }

    /// <summary>
    /// Whether greedy decoding over a cache gives exactly this answer: teacher-forced, every token is the most likely one after those before
    /// it. One pass, and equal to generating and comparing. The cache is consumed.
    /// </summary>
    public bool Answers(KeyValueCache cache, IReadOnlyList<int> answer)
    {
        if (FirstToken != answer[0])
            return false;
        if (answer.Count == 1)
            return true;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var logits = Decoding.Extend(_decoder, cache, _decoder.Ids([.. answer.Take(answer.Count - 1)]));
        var predicted = logits[0].argmax(-1).cpu().data<long>().ToArray();
        return predicted.Select(id => (int)id).SequenceEqual(answer.Skip(1));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        foreach (var rows in _layers)
        {
            rows.Queries.Dispose();
            rows.Keys.Dispose();
            rows.Values.Dispose();
        }
    }

    private void Remember(int layer, LayerRows rows)
    {
        rows.Queries.DetachFromDisposeScope();
        rows.Keys.DetachFromDisposeScope();
        rows.Values.DetachFromDisposeScope();
        _layers.Add(rows);
    }

    private bool IsGreedy(IReadOnlyList<int> guess)
    {
        if (guess.Count == 0 || !_decoder.Config.EndTokens.Contains(guess[^1]))
            return false;
        using var cache = Evict(null, Prompt.Count, Protection.None, guess.Count);
        return Answers(cache, guess);
    }
}
