using System.Globalization;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>How attention runs in training.</summary>
public enum AttentionKernel
{
    /// <summary>Scaled dot-product attention that shares key/value heads itself; libtorch picks the kernel.</summary>
    Grouped,

    /// <summary>The same with keys and values repeated to the number of query heads first.</summary>
    Repeated,

    /// <summary>The flash operator called by name (CUDA only, half precision only).</summary>
    Flash,
}

/// <summary>
/// The decoder's whole forward pass and its loss as one TorchScript function over the flat parameter vector, through which autograd
/// flows. One call from C# instead of hundreds, and operators that TorchSharp does not bind.
/// </summary>
internal sealed class DecoderProgram : IDisposable
{
    /// <summary>Target of a slot that carries no loss.</summary>
    public const long Ignored = -100;

    private readonly ScriptProgram program;

    public DecoderProgram(TrainableDecoderConfig config, ScalarType dtype, AttentionKernel attention, bool fuse) =>
        program = new ScriptProgram(Source(config, dtype, attention), fuse);

    /// <summary>Logits of every position.</summary>
    /// <param name="parameters">Flat parameter vector.</param>
    /// <param name="ids">Token ids [B,T], int64.</param>
    /// <param name="rotation">Rotary tables for at least T positions.</param>
    /// <returns>[B,T,V] in the dtype of the parameters.</returns>
    public Tensor Logits(Tensor parameters, Tensor ids, RotationTables rotation) =>
        program.Invoke("logits", parameters, ids, rotation.Cosine, rotation.Sine);

    /// <summary>Mean cross-entropy (nats) over a packed batch's answer tokens.</summary>
    public Tensor Loss(Tensor parameters, Tensor packed, BatchShape shape, RotationTables rotation) =>
        program.Invoke("loss", parameters, packed, rotation.Cosine, rotation.Sine, shape.Batch, shape.Length, shape.Slots);

    /// <summary>Whether the most likely token is the target, for each slot of a packed batch: bool [slots].</summary>
    public Tensor Correct(Tensor parameters, Tensor packed, BatchShape shape, RotationTables rotation) =>
        program.Invoke("correct", parameters, packed, rotation.Cosine, rotation.Sine, shape.Batch, shape.Length, shape.Slots);

    public void Dispose() => program.Dispose();

    private static string Source(TrainableDecoderConfig config, ScalarType dtype, AttentionKernel attention)
    {
        int v = config.VocabularySize,
            e = config.Width,
            l = config.Layers,
            h = config.QueryHeads,
            g = config.KeyValueHeads,
            d = config.HeadSize,
            f = config.IntermediateSize;
        var sizes = string.Join(", ", ParameterLayout.Pieces(config).Select(piece => piece.Size));
        var scale = (1 / Math.Sqrt(d)).ToString("R", CultureInfo.InvariantCulture);
        var epsilon = config.RmsNormEpsilon.ToString("0.0###################", CultureInfo.InvariantCulture);
        var firstNorm = 1 + ParameterLayout.MatricesPerLayer * l;
        var repeat = $$"""
            k.repeat_interleave({{h / g}}, 1), v.repeat_interleave({{h / g}}, 1)
            """;
        var attend = attention switch
        {
            AttentionKernel.Grouped => $"torch.scaled_dot_product_attention(q, k, v, None, 0.0, True, scale={scale}, enable_gqa=True)",
            AttentionKernel.Repeated => $"torch.scaled_dot_product_attention(q, {repeat}, None, 0.0, True, scale={scale})",
            _ => $"torch._scaled_dot_product_flash_attention(q, k, v, 0.0, True, False, scale={scale})[0]",
        };
        // Half precision is too coarse for a sum over the vocabulary.
        var widen = dtype is ScalarType.BFloat16 or ScalarType.Float16 ? ".float()" : "";

        var form = new LayerForm(BlockNorms.Before, QueryKeyNorm.None, Biased: false);
        // What the flat vector has of a layer: its matrices from m on, its norms from n on.
        var weights = LayerSlots.List(
            name =>
                name switch
                {
                    LinearName.Query => $"p[m].view([{(h + 2 * g) * d}, {e}])",
                    LinearName.Output => $"p[m + 1].view([{e}, {h * d}])",
                    LinearName.Gate => $"p[m + 2].view([{2 * f}, {e}])",
                    LinearName.Down => $"p[m + 3].view([{e}, {f}])",
                    _ => "none",
                },
            _ => "none",
            name =>
                name switch
                {
                    NormName.AttentionIn => "p[n]",
                    NormName.FeedForwardIn => "p[n + 1]",
                    _ => "none",
                }
        );

        return DecoderLayer.Source(form, LayerWriting.Differentiable, joined: true)
            + $$"""
                def hidden(p: List[Tensor], ids: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
                    batch = ids.size(0)
                    length = ids.size(1)
                    cos = cosine[:length]
                    sin = sine[:length]
                    none = torch.empty([0])
                    pairs: List[Tensor] = []
                    x = torch.embedding(p[0].view([{{v}}, {{e}}]), ids)
                    for layer in range({{l}}):
                        m = 1 + {{ParameterLayout.MatricesPerLayer}} * layer
                        n = {{firstNorm}} + 2 * layer
                        w = [{{string.Join(", ", weights)}}]
                        q, k, v = project(x, w, pairs, 0, cos, sin, {{epsilon}}, {{g}}, 1)
                        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
                        o = {{attend}}
                        o = o.transpose(1, 2).reshape([batch, length, {{h * d}}])
                        x = finish(x, o, w, pairs, 0, {{epsilon}}, 1)
                    return x

                def head(p: List[Tensor], x: Tensor) -> Tensor:
                    return torch.linear(torch.rms_norm(x, [{{e}}], p[{{firstNorm + 2 * l}}], {{epsilon}}), p[0].view([{{v}}, {{e}}]))

                def logits(parameters: Tensor, ids: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
                    p = torch.split_with_sizes(parameters, [{{sizes}}])
                    return head(p, hidden(p, ids, cosine, sine))

                def slot_logits(parameters: Tensor, packed: Tensor, cosine: Tensor, sine: Tensor, batch: int, length: int, slots: int) -> Tensor:
                    p = torch.split_with_sizes(parameters, [{{sizes}}])
                    tokens = batch * length
                    x = hidden(p, packed[:tokens].view([batch, length]), cosine, sine)
                    return head(p, x.reshape([tokens, {{e}}]).index_select(0, packed[tokens:tokens + slots])){{widen}}

                def loss(parameters: Tensor, packed: Tensor, cosine: Tensor, sine: Tensor, batch: int, length: int, slots: int) -> Tensor:
                    x = slot_logits(parameters, packed, cosine, sine, batch, length, slots)
                    return torch.cross_entropy_loss(x, packed[batch * length + slots:], None, 1, {{Ignored}}, 0.0)

                def correct(parameters: Tensor, packed: Tensor, cosine: Tensor, sine: Tensor, batch: int, length: int, slots: int) -> Tensor:
                    x = slot_logits(parameters, packed, cosine, sine, batch, length, slots)
                    return x.argmax(-1) == packed[batch * length + slots:]
                """;
    }
}
