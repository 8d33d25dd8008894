using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

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
        return y.Times(Scale);
    }
}

/// <summary>The low-rank pairs of one layer; a linear map without a pair is left as the base model has it.</summary>
public sealed class LayerLora(IReadOnlyDictionary<LinearName, LoraPair> pairs) : IDisposable
{
    private (ScalarType DType, long Version, Tensor[] Tensors)? _packed;

    /// <summary>The pair of a linear map, or null.</summary>
    public LoraPair? this[LinearName name] => pairs.GetValueOrDefault(name);

    /// <summary>All pairs, by linear map.</summary>
    public IReadOnlyDictionary<LinearName, LoraPair> Pairs => pairs;

    /// <summary>
    /// The pairs as <see cref="DecoderScript"/> lists them, in a dtype: maps that read the same rows share one A, their B's stand along a diagonal, scaled. Kept
    /// until a parameter is written to.
    /// </summary>
    internal Tensor[] Packed(DecoderConfig config, ScalarType dtype)
    {
        var version = Operators.Versions([.. pairs.Values.SelectMany(pair => new[] { pair.A, pair.B })]);
        if (_packed is { } packed && packed.DType == dtype && packed.Version == version)
            return packed.Tensors;
        Free();
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor[] tensors =
        [
            .. Joined(LinearName.Query, LinearName.Key, LinearName.Value),
            .. Joined(LinearName.Output),
            .. Joined(LinearName.Gate, LinearName.Up),
            .. Joined(LinearName.Down),
        ];
        foreach (var tensor in tensors)
            tensor.DetachFromDisposeScope();
        _packed = (dtype, version, tensors);
        return tensors;

        IEnumerable<Tensor> Joined(params LinearName[] names)
        {
            LoraPair?[] found = [.. names.Select(name => this[name])];
            if (found.OfType<LoraPair>().FirstOrDefault() is not { } any)
                return [empty(0), empty(0)];
            var blocks = names.Zip(found, (name, pair) => pair is null ? Missing(name) : pair.B.Times(pair.Scale)).ToArray();
            return [cat([.. found.OfType<LoraPair>().Select(pair => pair.A)], 0).to(dtype), block_diag(blocks).to(dtype)];

            Tensor Missing(LinearName name) => zeros(name.Shape(config).Out, 0, device: any.B.device); // rows without a column
        }
    }

    /// <summary>Frees what was kept for compiled passes; the pairs are their module's.</summary>
    public void Dispose() => Free();

    private void Free()
    {
        foreach (var tensor in _packed?.Tensors ?? [])
            tensor.Dispose();
        _packed = null;
    }
}
