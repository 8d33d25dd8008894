using LookaheadKV.Attention;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// Expected attention (Devoto et al., arXiv 2510.00636): if queries to come are drawn like the prompt's, their mean weight on a key has a closed form.
/// <c>s[h,j] = softmax_j(μ'·k_j/√D + k_jᵀΣ'k_j/2D) · ‖v_j‖₂</c>; μ and Σ: mean and covariance of the prompt's queries before RoPE;
/// μ' = R̄μ, Σ' = R̄ΣR̄ᵀ with R̄ the mean rotation of the next 512 positions. The first 4 tokens, outliers, are left out; a policy protects them.
/// </summary>
/// <param name="Horizon">Positions behind the prompt at which queries are expected, ≥ 1.</param>
/// <param name="Sinks">First tokens that neither count nor score, ≥ 0.</param>
public sealed record ExpectedAttention(int Horizon = ExpectedAttention.DefaultHorizon, int Sinks = ExpectedAttention.DefaultSinks)
    : IPromptScorer
{
    /// <summary>Future positions averaged over, of the authors' code.</summary>
    public const int DefaultHorizon = 512;

    /// <summary>First tokens left out, of the authors' code.</summary>
    public const int DefaultSinks = 4;

    /// <inheritdoc/>
    public string Name => "expected";

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt)
    {
        if (Horizon < 1)
            throw new InputException($"expected horizon {Horizon} is below 1; the authors' code uses {DefaultHorizon}.");
        using var scope = NewDisposeScope();
        var (decoder, length) = (context.Decoder, prompt.Keys.size(2));
        return Score(prompt, decoder.Angles(0, length), decoder.Angles(length, Horizon), Sinks).MoveToOuterDisposeScope();
    }

    /// <summary>Scores [B,H,N] (float32); 0 on the first <paramref name="sinks"/> positions.</summary>
    /// <param name="prompt">Post-RoPE queries [B,H,N,D] of the whole prompt, post-RoPE keys and values [B,G,N,D].</param>
    /// <param name="own">Angles of the prompt's positions 0..N-1, by which the queries were rotated.</param>
    /// <param name="future">Angles of the positions at which queries are expected.</param>
    /// <param name="sinks">First tokens that neither count nor score, ≥ 0.</param>
    public static Tensor Score(LayerRows prompt, RotaryAngles own, RotaryAngles future, int sinks = DefaultSinks)
    {
        if (sinks < 0)
            throw new InputException($"expected sinks {sinks} is below 0; the authors' code uses {DefaultSinks}.");
        using var scope = NewDisposeScope();
        var (batch, heads, length) = (prompt.Queries.size(0), prompt.Queries.size(1), prompt.Keys.size(2));
        var precision = AttentionRows.ScorePrecision(prompt.Keys.dtype);
        var scores = zeros(batch, heads, length, dtype: precision, device: prompt.Keys.device);
        var count = length - sinks;
        if (count < 1)
            return scores.MoveToOuterDisposeScope();
        var inverse = own.Inverse();
        var back = new RotaryAngles(Rest(inverse.Cos), Rest(inverse.Sin));
        var ahead = new RotaryAngles(Mean(future.Cos), Mean(future.Sin));
        for (var head = 0L; head < heads; head++)
            scores.narrow(1, head, 1).narrow(2, sinks, count).copy_(Head(head));
        return scores.MoveToOuterDisposeScope();

        // One head at a time bounds memory; float64 because the exponent is quadratic in both queries and keys.
        Tensor Head(long head)
        {
            using var inner = NewDisposeScope();
            var shared = head / (heads / prompt.Keys.size(1)); // the key/value head of this query head
            // [B,1,n,D]; the mean rotation is linear, so it may come before mean and covariance.
            var queries = ahead.Apply(back.Apply(Exact(prompt.Queries, head)));
            var keys = Exact(prompt.Keys, shared);
            var mean = queries.mean([2L], keepdim: true); // [B,1,1,D]
            var centred = queries - mean;
            var covariance = centred.transpose(2, 3).matmul(centred).div(count); // [B,1,D,D]
            var size = keys.size(3);
            var linear = keys.mul(mean).sum(-1).div(Math.Sqrt(size)); // [B,1,n]
            var quadratic = keys.matmul(covariance).mul(keys).sum(-1).div(2.0 * size);
            var norms = linalg.vector_norm(Exact(prompt.Values, shared), 2, [-1L]);
            return (linear + quadratic).softmax(-1).mul(norms).MoveToOuterDisposeScope();
        }

        Tensor Rest(Tensor rows) => rows.narrow(2, sinks, count).to(ScalarType.Float64);
        Tensor Exact(Tensor rows, long head) => Rest(rows.narrow(1, head, 1));
        static Tensor Mean(Tensor table) => table.to(ScalarType.Float64).mean([2L], keepdim: true); // [1,1,T,D] → [1,1,1,D]
    }
}
