using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// The oracle: true importance, read off the model's own greedy answer. The upper bound that every table shows.
/// <c>s_true[h,j] = (1/M) Σ_i A_h[y_i, x_j]</c>: softmax over everything visible, prompt columns taken afterwards.
/// </summary>
public sealed record Oracle : IObserverScorer
{
    /// <summary>The method under its name.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "oracle" })
        {
            Keeps = "what the model's own answer attends to: the upper bound",
            Needs = Needs.Answer,
            FigurePlace = 1,
            Scorer = _ => new Oracle(),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public IObserver Observe(PromptContext context) => new ResponseRows(context.GreedyResponse.Value);

    /// <inheritdoc/>
    public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Score(prompt.Keys, observer);

    /// <summary>True importance [B,H,N] (float32).</summary>
    /// <param name="promptKeys">Post-RoPE keys [B,G,N,D] of the prompt, in the order of their positions.</param>
    /// <param name="response">Rows of the response, behind the prompt.</param>
    public static Tensor Score(Tensor promptKeys, LayerRows response)
    {
        using var scope = NewDisposeScope();
        var length = promptKeys.size(2);
        var sums = AttentionRows.ColumnSums(response.Queries, response.KeysBehind(promptKeys), length);
        return sums.narrow(-1, 0, length).div(response.Queries.size(2)).contiguous().MoveToOuterDisposeScope();
    }
}
