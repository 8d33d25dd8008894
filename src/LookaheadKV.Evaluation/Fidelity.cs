using LookaheadKV.Attention;
using LookaheadKV.Cache;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation;

/// <summary>
/// What the full cache says to one prompt, token by token, to hold evicted caches against: no right answer is needed. The full cache's greedy answer is fed to the
/// model behind an evicted cache, all of it in one pass, every token at the position that it had; what either predicts next is compared.
/// </summary>
/// <remarks>
/// Counted are the predictions behind what was evicted: those of the answer's tokens, and, where a question follows the prompt, of the question's last one. The answer's
/// first token otherwise comes from the prefill, which is the same for all. Nothing counts behind an end token. The full cache held against itself gives
/// exactly 0 in float32 on one device.
/// </remarks>
public sealed class Fidelity : IDisposable
{
    private readonly PromptTrace _trace;
    private readonly int[] _forced;
    private readonly int _first; // of the rows that count; all behind it do
    private readonly Tensor _logProbabilities; // [rows that count, vocabulary], float64
    private readonly Tensor[] _attention; // of each layer, [H,N], a head's over the prompt adding up to 1

    private Fidelity(Decoder decoder, PromptTrace trace, int[] forced, int first)
    {
        (_trace, _forced, _first) = (trace, forced, first);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _attention = new Tensor[decoder.Config.Layers];
        using var cache = trace.Evict(null, forced.Length);
        var logits = trace.Extend(cache, forced, Watch);
        _logProbabilities = LogProbabilities(logits).DetachFromDisposeScope();
    }

    /// <summary>Tokens that count.</summary>
    public int Tokens => _forced.Length - _first;

    /// <summary>The full cache's side of the comparison.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="trace">The prompt; it must live as long.</param>
    /// <param name="tokens">R, the longest answer, 1 or more.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>Null where nothing counts: the answer is an end token alone, and no question stands before it.</returns>
    public static Fidelity? Of(Decoder decoder, PromptTrace trace, int tokens, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        var answer = Answer(decoder, trace, tokens, cancellation).TakeWhile(token => !decoder.Config.EndTokens.Contains(token));
        int[] forced = [.. trace.Question, .. answer];
        return forced.Length == 0 ? null : new Fidelity(decoder, trace, forced, Math.Max(0, trace.Question.Count - 1));
    }

    /// <summary>Holds kept sets against the full cache.</summary>
    /// <param name="kept">What is kept of each layer; null keeps everything.</param>
    public FidelityScores Of(IReadOnlyList<KeptSet>? kept)
    {
        using var cache = _trace.Evict(kept, _forced.Length);
        return Of(cache, kept);
    }

    /// <summary>The same, of a cache that is there already and is afterwards as it was; it needs room for question and answer.</summary>
    /// <param name="cache">What is left of the prompt.</param>
    /// <param name="kept">What that is; null for everything.</param>
    public FidelityScores Of(KeyValueCache cache, IReadOnlyList<KeptSet>? kept)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var mark = cache.Mark();
        var evicted = LogProbabilities(_trace.Extend(cache, _forced));
        cache.RollBack(mark);
        var divergence = _logProbabilities.exp().mul(_logProbabilities - evicted).sum(-1); // [rows]
        var own = _logProbabilities.argmax(-1, keepdim: true);
        var lost = _logProbabilities.gather(1, own) - evicted.gather(1, own);
        var equal = evicted.argmax(-1, keepdim: true).eq(own).to(ScalarType.Float64);
        return new FidelityScores(Mean(divergence), Mean(equal), Mean(lost), kept is null ? 1 : KeptAttention(kept), Tokens);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _logProbabilities.Dispose();
        foreach (var layer in _attention)
            layer.Dispose();
    }

    private static IEnumerable<int> Answer(Decoder decoder, PromptTrace trace, int tokens, CancellationToken cancellation)
    {
        var known = trace.Response;
        if (known.Count >= tokens || decoder.Config.EndTokens.Contains(known[^1]))
            return known.Take(tokens);
        using var cache = trace.Evict(null, trace.Question.Count + tokens);
        return trace.Generate(cache, tokens, cancellation);
    }

    private Tensor LogProbabilities(Tensor logits) => logits[0].narrow(0, _first, Tokens).to(ScalarType.Float64).log_softmax(-1);

    // On the way of the full cache's pass: where the rows that count look within the prompt.
    private void Watch(int layer, LayerRows rows)
    {
        var length = _trace.Prompt.Count;
        var keys = cat([_trace.Layers[layer].Keys, rows.Keys], 2);
        var sums = AttentionRows.ColumnSums(rows.Queries.narrow(2, _first, Tokens), keys, length + _first)[0].narrow(-1, 0, length); // [H,N]
        _attention[layer] = (sums / sums.sum(-1, keepdim: true)).DetachFromDisposeScope();
    }

    private double KeptAttention(IReadOnlyList<KeptSet> kept)
    {
        var shares = kept.Zip(
            _attention,
            (set, attention) =>
            {
                var mask = set.Mask(_trace.Prompt.Count)[0].unsqueeze(1); // [G,1,N]
                return attention.view(mask.size(0), -1, _trace.Prompt.Count).mul(mask).sum(-1).mean();
            }
        );
        return Mean(stack([.. shares]));
    }

    private static double Mean(Tensor values) => values.to(ScalarType.Float64).mean().cpu().item<double>();
}
