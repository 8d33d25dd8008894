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
    private readonly List<Tensor> _scales = [];
    private readonly List<Tensor> _owned = [];
    private Tensor[]? _apart;
    private (ScalarType DType, long Version, Tensor[] Tensors)? _packed;

    /// <summary>The pair of a linear map, or null.</summary>
    public LoraPair? this[LinearName name] => pairs.GetValueOrDefault(name);

    /// <summary>All pairs, by linear map.</summary>
    public IReadOnlyDictionary<LinearName, LoraPair> Pairs => pairs;

    /// <summary>The pairs as differentiable layers get them, by <see cref="LayerSlots"/>: A, B and scale of each map.</summary>
    internal Tensor[] Apart =>
        _apart ??= [
            .. LinearNames.All.SelectMany(name =>
                this[name] is { } pair ? (Tensor[])[pair.A, pair.B, Scale(pair)] : [LayerSlots.None, LayerSlots.None, LayerSlots.None]
            ),
        ];

    /// <summary>
    /// The pairs as layers get them that run in place, in a dtype: maps that read the same rows share one A, their B's stand along a diagonal, scaled, in the place
    /// of the first of them. Kept until a parameter is written to.
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
        _packed = (dtype, version, tensors);
        return tensors;

        IEnumerable<Tensor> Joined(params LinearName[] names)
        {
            LoraPair?[] found = [.. names.Select(name => this[name])];
            if (found.OfType<LoraPair>().FirstOrDefault() is not { } any)
                return Enumerable.Repeat(LayerSlots.None, 3 * names.Length);
            var blocks = names.Zip(found, (name, pair) => pair is null ? Missing(name) : pair.B.Times(pair.Scale)).ToArray();
            var a = cat([.. found.OfType<LoraPair>().Select(pair => pair.A)], 0);
            return [Kept(a.to(dtype)), Kept(block_diag(blocks).to(dtype)), .. Enumerable.Repeat(LayerSlots.None, 3 * names.Length - 2)];

            Tensor Missing(LinearName name) => zeros(name.Shape(config).Out, 0, device: any.B.device); // rows without a column
        }
    }

    /// <summary>Frees what was kept for passes; the pairs are their module's.</summary>
    public void Dispose()
    {
        Free();
        foreach (var scale in _scales)
            scale.Dispose();
        _scales.Clear();
        _apart = null;
    }

    private Tensor Scale(LoraPair pair)
    {
        var scale = tensor(pair.Scale, ScalarType.Float64).DetachFromDisposeScope();
        _scales.Add(scale);
        return scale;
    }

    private Tensor Kept(Tensor tensor)
    {
        _owned.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private void Free()
    {
        foreach (var tensor in _owned)
            tensor.Dispose();
        _owned.Clear();
        _packed = null;
    }
}
