using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>
/// How much each entry writes into the residual stream for one unit of attention: <c>w[h,j] = ‖W_O,h · v_j‖</c>, with W_O,h the columns of the output map that
/// read query head h (as in Kobayashi et al., arXiv 2004.10102). Attention times this norm is what an answer gets out of an entry.
/// </summary>
public static class WrittenNorm
{
    /// <summary>The norms of a layer's values, [B,H,N] (float32, or float64 of a model in it).</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="layer">0..L-1.</param>
    /// <param name="values">Values [B,G,N,D].</param>
    public static Tensor Of(Decoder decoder, int layer, Tensor values)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (batch, groups, length, size) = (values.size(0), values.size(1), values.size(2), values.size(3));
        var precision = values.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        var output = decoder.Weights.Layers[layer][LinearName.Output].to(precision).view(-1, groups, decoder.Config.GroupSize, size);
        var heads = output.permute(1, 2, 0, 3); // [E,G,H/G,D] → [G,H/G,E,D]
        var gram = heads.transpose(2, 3).matmul(heads); // [G,H/G,D,D]: ‖W v‖² = vᵀ (WᵀW) v
        var v = values.to(precision).unsqueeze(2); // [B,G,1,N,D]
        var squares = v.matmul(gram).mul(v).sum(-1); // [B,G,H/G,N]
        return squares.clamp_min(0).sqrt().reshape(batch, -1, length).MoveToOuterDisposeScope();
    }
}
