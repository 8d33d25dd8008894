using LookaheadKV.Attention;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

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
    /// <summary>Positions behind the prompt at which queries are expected, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Horizon
    {
        get;
        init => field = value.AtLeast(1, "expected horizon", $"the authors' code uses {DefaultHorizon}");
    } = Horizon.AtLeast(1, "expected horizon", $"the authors' code uses {DefaultHorizon}");

    /// <summary>First tokens that neither count nor score, 0 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Sinks
    {
        get;
        init => field = Outliers(value);
    } = Outliers(Sinks);

    /// <summary>Future positions averaged over, of the authors' code.</summary>
    public const int DefaultHorizon = 512;

    /// <summary>First tokens left out, of the authors' code.</summary>
    public const int DefaultSinks = 4;

    private static readonly TokenCount HorizonParameter = new(
        "horizon",
        DefaultHorizon,
        "positions behind the prompt at which queries are expected"
    );

    /// <summary>The method under its name, with the authors' defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "expected", Protection = Protection.FirstTokens(DefaultSinks) })
        {
            Keeps = "the closed form of what queries to come will attend to, and the first 4 tokens",
            Paper = new(
                "Devoto et al.",
                2025,
                "Expected Attention: KV Cache Compression by Estimating Attention from Future Queries Distribution",
                "2510.00636"
            ),
            Parameters = [HorizonParameter],
            Needs = Needs.Queries,
            Scorer = given => new ExpectedAttention(given.Of(HorizonParameter)),
        };

    /// <summary>The policy with another horizon, without a budget.</summary>
    public static EvictionPolicy Policy(int horizon = DefaultHorizon) => Method.Defaults with { Scorer = new ExpectedAttention(horizon) };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt)
    {
        using var scope = NewDisposeScope();
        var (decoder, length) = (context.Decoder, prompt.Keys.size(2));
        if (prompt.Positions is not { } positions)
            return Score(prompt, decoder.Angles(0, length), decoder.Angles(length, Horizon), Sinks).MoveToOuterDisposeScope();
        var rows = prompt.Queries.size(2);
        var own = positions.narrow(2, length - rows, rows).select(1, 0); // all heads hold the rows' own entries: [1 or B,R]
        return Score(prompt, decoder.AnglesAt(own), decoder.Angles(positions.max().item<long>() + 1, Horizon), Sinks)
            .MoveToOuterDisposeScope();
    }

    private static int Outliers(int sinks) => sinks.AtLeast(0, "expected sinks", $"the authors' code uses {DefaultSinks}");

    /// <summary>Scores [B,H,N] (float32); 0 on the first <paramref name="sinks"/> positions.</summary>
    /// <param name="prompt">Post-RoPE queries [B,H,R,D] of the prompt's last R rows, of all rows where its positions are those of a whole prompt; post-RoPE keys and values [B,G,N,D].</param>
    /// <param name="own">Angles of the R rows' positions, by which the queries were rotated.</param>
    /// <param name="future">Angles of the positions at which queries are expected.</param>
    /// <param name="sinks">First tokens that neither count nor score, ≥ 0.</param>
    public static Tensor Score(LayerRows prompt, RotaryAngles own, RotaryAngles future, int sinks = DefaultSinks)
    {
        Outliers(sinks);
        using var scope = NewDisposeScope();
        var (batch, kvHeads, length, size) = (prompt.Keys.size(0), prompt.Keys.size(1), prompt.Keys.size(2), prompt.Keys.size(3));
        var shared = prompt.Queries.size(1) / kvHeads; // query heads of a key/value head
        var precision = AttentionRows.ScorePrecision(prompt.Keys.dtype);
        var scores = zeros(batch, kvHeads * shared, length, dtype: precision, device: prompt.Keys.device);
        // Of a whole prompt the first tokens are the first columns; otherwise each head has its own, or none.
        var outliers = prompt.Positions?.lt(sinks).expand(batch, kvHeads, length);
        var first = outliers is null ? sinks : 0;
        var (count, rows) = (length - first, prompt.Queries.size(2) - Outliers(prompt, sinks));
        if (count < 1 || rows < 1)
            return scores.MoveToOuterDisposeScope();
        var turn = Turn(own, future, rows, precision);
        var most = Math.Max(1, AttentionRows.AtOnce(prompt.Keys.device) / (batch * shared * count * size));
        for (var head = 0L; head < kvHeads; head += most)
        {
            using var inner = NewDisposeScope();
            var heads = Math.Min(most, kvHeads - head);
            var queries = prompt.Queries.narrow(1, head * shared, heads * shared).narrow(2, prompt.Queries.size(2) - rows, rows);
            var keys = prompt.Keys.narrow(1, head, heads).narrow(2, first, count);
            var values = prompt.Values.narrow(1, head, heads).narrow(2, first, count);
            var norms = linalg.vector_norm(values.to(precision), 2, [-1L]).unsqueeze(2); // [B,g,1,n]
            var logits = Logits(queries, keys, turn, precision); // [B,g,H/G,n]
            if (outliers?.narrow(1, head, heads).unsqueeze(2) is { } left)
                logits = logits.Hide(left);
            // A head of outliers alone has no weights: 0, not NaN.
            var weights = outliers is null ? logits.softmax(-1) : logits.softmax(-1).nan_to_num();
            scores.narrow(1, head * shared, heads * shared).narrow(2, first, count).copy_(weights.mul(norms).flatten(1, 2));
        }
        return scores.MoveToOuterDisposeScope();
    }

    // From a query as it stands in the prompt to the mean rotation of the future: back by its own angle, then ahead. Both are linear, so they may come
    // before mean and covariance; pairs turn like complex numbers, so two rotations are one.
    private static RotaryAngles Turn(RotaryAngles own, RotaryAngles future, long rows, ScalarType precision)
    {
        var back = own.Inverse();
        var (cos, sin) = (Rest(back.Cos), Rest(back.Sin)); // [1 or B,1,R,D]
        var (aheadCos, aheadSin) = (Mean(future.Cos), Mean(future.Sin)); // [1,1,1,D]
        return new(cos * aheadCos - sin * aheadSin, sin * aheadCos + cos * aheadSin);

        Tensor Rest(Tensor table) => table.narrow(2, table.size(2) - rows, rows).to(precision);
        Tensor Mean(Tensor table) => table.to(precision).mean([2L], keepdim: true);
    }

    // Rows whose queries do not count: those that stand at the first positions.
    private static long Outliers(LayerRows prompt, long sinks) =>
        prompt.Positions is { } positions
            ? positions.narrow(2, prompt.Keys.size(2) - prompt.Queries.size(2), prompt.Queries.size(2)).lt(sinks).sum(2).max().item<long>()
            : sinks;

    // The exponents [B,g,H/G,n] (float64) of queries [B,g·H/G,R,D] and keys [B,g,n,D]. What is large is computed in float32, of rows scaled to about 1:
    // the exponent is quadratic in both, so that large rows would overflow, and float64 puts the scales back.
    private static Tensor Logits(Tensor queries, Tensor keys, RotaryAngles turn, ScalarType precision)
    {
        var (kvHeads, rows, size) = (keys.size(1), queries.size(2), keys.size(3));
        var shared = queries.size(1) / kvHeads;
        var queryScale = Largest(queries, precision).unflatten(1, kvHeads, shared); // [B,g,H/G,1,1]
        var keyScale = Largest(keys, precision); // [B,g,1,1]
        var turned = turn.Turn(queries).unflatten(1, kvHeads, shared); // [B,g,H/G,R,D]
        var mean = turned.mean([3L], keepdim: true); // [B,g,H/G,1,D]
        var centred = turned.sub_(mean).div_(queryScale);
        var covariance = centred.transpose(3, 4).matmul(centred).div_(rows); // [B,g,H/G,D,D], symmetric
        var scaled = keys / keyScale;
        var linear = scaled.matmul((mean / queryScale).squeeze(3).transpose(2, 3)); // [B,g,n,H/G]
        // The query heads of a key/value head side by side, so that keys are read once and never repeated.
        var products = scaled.matmul(covariance.flatten(2, 3).transpose(2, 3)).unflatten(3, shared, size); // [B,g,n,H/G,D]
        var quadratic = products.mul_(scaled.unsqueeze(3)).sum(-1); // [B,g,n,H/G]
        var scale = queryScale.to(ScalarType.Float64).reshape(-1, kvHeads, 1, shared) * keyScale.to(ScalarType.Float64) / Math.Sqrt(size);
        return (linear * scale + quadratic * scale.square() / 2).transpose(2, 3);
    }

    // Of the magnitudes of a head's numbers, [B,X,1,1]; never 0, so that it can divide.
    private static Tensor Largest(Tensor rows, ScalarType precision) =>
        maximum(rows.amax([2L, 3L], keepdim: true), rows.amin([2L, 3L], keepdim: true).neg()).to(precision).clamp_min(1e-30);
}
