using LookaheadKV.Attention;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>
/// LookaheadKV (Ahn et al., ICLR 2026, arXiv 2603.10899): trained lookahead tokens after the prompt attend where the answer will.
/// <c>s[h,j] = (1/n) Σ_i A_h[p_i, x_j]</c>: softmax over prompt and lookahead keys, prompt columns taken afterwards. A module may have been trained with
/// another reduction over its rows than the mean (<see cref="LookaheadSettings.Rows"/>).
/// </summary>
/// <param name="Module">Trained lookahead tokens and their selective LoRA.</param>
public sealed record LookaheadScore(LookaheadModule Module) : IObserverScorer
{
    /// <summary>Its name as a method.</summary>
    public const string MethodName = "lookahead";

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public IObserver Observe(PromptContext context) => Module;

    /// <inheritdoc/>
    public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Score(prompt.Keys, observer, Module.Settings.Rows);

    /// <summary>Predicted importance [B,H,N] (float32); differentiable with respect to the rows.</summary>
    /// <param name="promptKeys">Post-RoPE keys [B,G,N,D] of the prompt, in the order of their positions.</param>
    /// <param name="lookahead">Rows of the n lookahead tokens, behind the prompt.</param>
    /// <param name="reduction">How the rows become one.</param>
    public static Tensor Score(Tensor promptKeys, LayerRows lookahead, RowReduction reduction = RowReduction.Mean)
    {
        using var scope = NewDisposeScope();
        var length = promptKeys.size(2);
        // n rows are few: materialised at once, out of place, so that gradients flow.
        var rows = AttentionRows.Softmax(lookahead.Queries, lookahead.KeysBehind(promptKeys), length);
        return reduction.Reduce(rows.narrow(-1, 0, length)).MoveToOuterDisposeScope(); // [B,H,n,N] → [B,H,N]
    }
}
