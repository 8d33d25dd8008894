using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>
/// A low-rank addition to one linear map (Hu et al., arXiv 2106.09685): <c>scale · (x·Aᵀ)·Bᵀ</c> with A [r, in] and B [out, r], scale = alpha / r.
/// A and B are float32; the sum is returned in the dtype of the rows.
/// </summary>
public sealed record LoraPair(Tensor A, Tensor B, double Scale)
{
    /// <summary>The delta for rows x [..., in]: [..., out], in x's dtype.</summary>
    public Tensor Delta(Tensor x)
    {
        var y = nn.functional.linear(nn.functional.linear(x, A.to(x.dtype)), B.to(x.dtype));
        return y.mul(Scale);
    }
}

/// <summary>The low-rank pairs of one layer; a linear map without a pair is left as the base model has it.</summary>
public sealed class LayerLora(IReadOnlyDictionary<LinearName, LoraPair> pairs)
{
    /// <summary>The pair of a linear map, or null.</summary>
    public LoraPair? this[LinearName name] => pairs.GetValueOrDefault(name);

    /// <summary>All pairs, by linear map.</summary>
    public IReadOnlyDictionary<LinearName, LoraPair> Pairs => pairs;
}
