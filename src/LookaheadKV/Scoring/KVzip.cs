using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// KVzip (Kim et al., arXiv 2505.23416): what the model looks at to write its context out again, any question about that context will need.
/// <c>s[h,j] = max_i A_h[i,j]</c> over the rows that replay j's chunk behind the prompt: softmax over everything visible, the chunk's columns taken afterwards.
/// </summary>
public sealed record KVzip
{
    /// <summary>Prompt tokens replayed at once, of the paper's experiments.</summary>
    public const int DefaultChunk = 2048;

    /// <summary>Scores [B,H,n] (float32) of one chunk, the prompt's positions <paramref name="first"/>..<paramref name="first"/>+n-1.</summary>
    /// <param name="promptKeys">Post-RoPE keys [B,G,N,D] of the whole prompt.</param>
    /// <param name="replay">Rows of the instruction and the chunk's tokens, at positions N, N+1, …</param>
    /// <param name="first">First position of the chunk.</param>
    /// <param name="count">n, its tokens.</param>
    public static Tensor Score(Tensor promptKeys, LayerRows replay, long first, long count)
    {
        using var scope = NewDisposeScope();
        var maxima = AttentionRows.ColumnMaxima(replay.Queries, cat([promptKeys, replay.Keys], 2), promptKeys.size(2));
        return maxima.narrow(-1, first, count).contiguous().MoveToOuterDisposeScope();
    }
}
