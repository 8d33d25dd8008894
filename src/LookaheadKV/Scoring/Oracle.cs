using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// The oracle: true importance, read off the model's own greedy answer. The upper bound that every table shows.
/// <c>s_true[h,j] = (1/M) Σ_i A_h[y_i, x_j]</c>: softmax over everything visible, prompt columns taken afterwards.
/// </summary>
public sealed record Oracle : IObserverScorer
{
    /// <inheritdoc/>
    public string Name => "oracle";

    /// <inheritdoc/>
    public IObserver Observe(PromptContext context) => new ResponseRows(context.GreedyResponse.Value);

    /// <inheritdoc/>
    public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Score(prompt.Keys, observer);

    /// <summary>True importance [B,H,N] (float32).</summary>
    /// <param name="promptKeys">Post-RoPE keys [B,G,N,D] of the prompt.</param>
    /// <param name="response">Rows of the response at positions N..N+M-1.</param>
    public static Tensor Score(Tensor promptKeys, LayerRows response)
    {
        using var scope = NewDisposeScope();
        var length = promptKeys.size(2);
        var sums = AttentionRows.ColumnSums(response.Queries, response.KeysBehind(promptKeys), length);
        return sums.narrow(-1, 0, length).div(response.Queries.size(2)).contiguous().MoveToOuterDisposeScope();
    }
}

/// <summary>Tokens of an answer as observer rows: teacher forcing over the prompt's cache.</summary>
/// <param name="Ids">The answer's tokens, M ≥ 1.</param>
public sealed record ResponseRows(IReadOnlyList<int> Ids) : IObserver
{
    /// <inheritdoc/>
    public Tensor Embed(Decoder decoder, long batch)
    {
        using var scope = NewDisposeScope();
        return decoder.Embed(decoder.Ids(Ids).expand(batch, Ids.Count)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Lookahead.LayerLora? Lora(int layer) => null;
}
