using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// LAQ, Lookahead Q-Cache (Wang et al., arXiv 2505.20334): a first answer, written on a cheaply evicted cache, asks better questions than the prompt's end.
/// <c>s[h,j] = Σ_i A_h[i,j]</c> over the prompt's last W rows and the rows of the pseudo answer, j &lt; N-W. A policy protects the window.
/// </summary>
public sealed record Laq
{
    /// <summary>W of the authors' code.</summary>
    public const int DefaultWindow = 8;

    /// <summary>Scores [B,H,N] (float32): the attention that each earlier position gets from the rows; 0 on the window itself.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,N,D] of the prompt (at least its last W rows).</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D] of the full cache.</param>
    /// <param name="pseudo">Rows of the M ≥ 0 pseudo tokens at positions N..N+M-1.</param>
    /// <param name="window">W ≥ 1; a prompt shorter than W is all window.</param>
    /// <exception cref="InputException">The window is below 1.</exception>
    public static Tensor Score(Tensor queries, Tensor keys, LayerRows pseudo, int window = DefaultWindow)
    {
        if (window < 1)
            throw new InputException($"laq window {window} is below 1; the authors' code uses {DefaultWindow}.");
        using var scope = NewDisposeScope();
        var length = keys.size(2);
        var rows = Math.Min(window, length);
        var watching = cat([queries.narrow(2, queries.size(2) - rows, rows), pseudo.Queries], 2); // [B,H,W+M,D]
        var sums = AttentionRows.ColumnSums(watching, cat([keys, pseudo.Keys], 2), length - rows);
        sums.narrow(-1, length - rows, rows).zero_();
        return sums.narrow(-1, 0, length).contiguous().MoveToOuterDisposeScope();
    }
}
