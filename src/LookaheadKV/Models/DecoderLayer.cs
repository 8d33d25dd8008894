using static LookaheadKV.Models.LinearName;
using static LookaheadKV.Models.NormName;

namespace LookaheadKV.Models;

/// <summary>What sets one family's layer apart from another's, beside its numbers: what the text of <see cref="DecoderLayer"/> depends on.</summary>
/// <param name="Norms">Where the norms of the blocks stand.</param>
/// <param name="QueryKeyNorm">What of queries and keys is normalised.</param>
/// <param name="Biased">Whether any map has a bias.</param>
internal readonly record struct LayerForm(BlockNorms Norms, QueryKeyNorm QueryKeyNorm, bool Biased)
{
    public static LayerForm Of(DecoderConfig config) => new(config.Norms, config.QueryKeyNorm, config.Biases.Count > 0);
}

/// <summary>
/// The arithmetic of a decoder's layer (Touvron et al., arXiv 2302.13971), written once, as TorchScript: <c>project</c> is what comes before attention,
/// <c>finish</c> what comes behind it. Prompts, steps, recorded steps, training and the readable execution all call it; they differ in what rows attend to, and in
/// the <see cref="LayerLeaves"/> under it: the operators that a layer is made of, out of place or in place, maps apart or as one product.
/// </summary>
/// <remarks>
/// Rows are [R,E] with R = B·T, or [B,T,E] where nothing is in place. <c>w</c> is a layer's list by <see cref="LayerSlots"/>, <c>pairs</c> that of its low-rank pairs, which act on the last n rows.
/// Angles are [1 or B,T,1,D]. What the form of a layer says stands in the text as True or False and is settled when it is compiled.
/// </remarks>
internal static class DecoderLayer
{
    /// <summary>The layer's functions, to stand before those of a pass.</summary>
    /// <param name="form">The family's form.</param>
    /// <param name="writing">How operators write.</param>
    /// <param name="joined">Whether maps that read the same rows are one product.</param>
    public static string Source(LayerForm form, LayerWriting writing, bool joined) =>
        LayerLeaves.Source(form, writing, joined) + Layer(form);

    private static string Layer(LayerForm form) =>
        $$"""
            def project(x: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, sin: Tensor, eps: float, g: int, threads: int) -> Tuple[Tensor, Tensor, Tensor]:
                # queries [B,T,H,D], keys and values [B,T,G,D]
                a = x
                if {{form.Norms.HasFlag(BlockNorms.Before)}}:
                    a = norm(x, w[{{LayerSlots.Of(AttentionIn)}}], eps)
                q, k, v = query_key_value(a, w, pairs, n, cos, g, threads)
                if {{form.QueryKeyNorm == QueryKeyNorm.None}}:
                    q, k = rotate_both(q, k, g, cos, sin)
                else:
                    q, k = apart(q, k, g)
                    q = rotate(norm_heads(q, w[{{LayerSlots.Of(NormName.Query)}}], eps), cos, sin)
                    k = rotate(norm_heads(k, w[{{LayerSlots.Of(NormName.Key)}}], eps), cos, sin)
                return q, k, v

            def norm_heads(x: Tensor, weight: Tensor, eps: float) -> Tensor:
                if {{form.QueryKeyNorm == QueryKeyNorm.Whole}}:
                    return norm(x.flatten(-2), weight, eps).view_as(x)
                return norm(x, weight, eps)

            def add_block(x: Tensor, y: Tensor, w: List[Tensor], out: Tensor, pairs: List[Tensor], i: int, n: int, eps: float, threads: int) -> Tensor:
                if {{form.Norms.HasFlag(BlockNorms.After)}}:
                    return add(x, norm(mapped(y, w, pairs, i, n, threads), out, eps))
                return add_mapped(x, y, w, pairs, i, n, threads)

            def add_attended(x: Tensor, o: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, eps: float, threads: int) -> Tensor:
                return add_block(x, o, w, w[{{LayerSlots.Of(AttentionOut)}}], pairs, {{Output:d}}, n, eps, threads)

            def feed(x: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, eps: float, threads: int) -> Tensor:
                a = x
                if {{form.Norms.HasFlag(BlockNorms.Before)}}:
                    a = norm(x, w[{{LayerSlots.Of(FeedForwardIn)}}], eps)
                gate, up = gate_and_up(a, w, pairs, n, threads)
                return add_block(x, gate_up(gate, up), w, w[{{LayerSlots.Of(FeedForwardOut)}}], pairs, {{Down:d}}, n, eps, threads)

            def finish(x: Tensor, o: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, eps: float, threads: int) -> Tensor:
                # o: what attention gave the rows, [..,H·D]
                return feed(add_attended(x, o, w, pairs, n, eps, threads), w, pairs, n, eps, threads)


            """;
}
