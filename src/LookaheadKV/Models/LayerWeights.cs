using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Weights of one layer; linear maps are [out, in], norms of blocks [E], those of queries and keys as <see cref="QueryKeyNorm"/> says.</summary>
public sealed class LayerWeights
{
    // Maps that read the same rows share one storage, so that they can be one product.
    private static readonly LinearName[][] Groups =
    [
        [LinearName.Query, LinearName.Key, LinearName.Value],
        [LinearName.Output],
        [LinearName.Gate, LinearName.Up],
        [LinearName.Down],
    ];

    private readonly Tensor?[] _maps = new Tensor?[LinearNames.All.Count];
    private readonly Tensor?[] _biases = new Tensor?[LinearNames.All.Count];
    private readonly Tensor?[] _norms;
    private readonly Dictionary<string, Tensor> _named = [];
    private readonly List<Tensor> _owned = [];

    /// <summary>Allocates a layer, its values still undefined.</summary>
    internal LayerWeights(DecoderConfig config, Device device, ScalarType dtype)
    {
        _norms = [.. NormNames.All.Select(name => name.Length(config) is { } length ? Own(Empty([length], dtype, device)) : null)];
        var (joined, joinedBiases) = (new Tensor?[_maps.Length], new Tensor?[_maps.Length]);
        foreach (var group in Groups)
        {
            long[] rows = [.. group.Select(name => (long)name.Shape(config).Out)];
            joined[(int)group[0]] = Own(Empty([rows.Sum(), group[0].Shape(config).In], dtype, device));
            // A bias that only some of the maps have is zero for the others.
            if (!group.Any(config.Biases.Contains))
                continue;
            joinedBiases[(int)group[0]] = Own(Empty([rows.Sum()], dtype, device));
            joinedBiases[(int)group[0]]!.zero_();
        }
        foreach (var name in LinearNames.All)
        {
            _maps[(int)name] = Rows(joined, name);
            _biases[(int)name] = config.Biases.Contains(name) ? Rows(joinedBiases, name) : null;
        }
        foreach (var stored in config.WeightNames.Weights(config))
            _named[stored.Name] = stored switch
            {
                { Norm: { } norm } => Norm(norm)!,
                { Maps: [var name] } => stored.IsBias ? Bias(name)! : this[name],
                _ => Rows(stored.IsBias ? joinedBiases : joined, [.. stored.Maps]),
            };
        Apart = LayerSlots.List(name => this[name], name => OrNone(Bias(name)), name => OrNone(Norm(name)));
        Joined = LayerSlots.List(name => OrNone(joined[(int)name]), name => OrNone(joinedBiases[(int)name]), name => OrNone(Norm(name)));

        // The rows of neighbouring maps within what their group has in one.
        Tensor Rows(Tensor?[] wholes, params LinearName[] maps)
        {
            var group = Groups.Single(group => group.Contains(maps[0]));
            var whole = wholes[(int)group[0]]!;
            if (maps.Length == group.Length)
                return whole;
            var first = group.TakeWhile(name => name != maps[0]).Sum(name => name.Shape(config).Out);
            return Own(whole.narrow(0, first, maps.Sum(name => name.Shape(config).Out)).DetachFromDisposeScope());
        }

        Tensor Own(Tensor tensor)
        {
            _owned.Add(tensor);
            return tensor;
        }

        static Tensor OrNone(Tensor? tensor) => tensor ?? LayerSlots.None;
    }

    /// <summary>A linear map's weight, [out, in].</summary>
    public Tensor this[LinearName name] => _maps[(int)name]!;

    /// <summary>A linear map's bias, [out]; null where it has none.</summary>
    public Tensor? Bias(LinearName name) => _biases[(int)name];

    /// <summary>An RMS norm's weight; null where the model has none there.</summary>
    public Tensor? Norm(NormName name) => _norms[(int)name];

    /// <summary>Its tensors by their names within a layer, as the family's <see cref="WeightTable"/> lists them.</summary>
    internal IReadOnlyDictionary<string, Tensor> Named => _named;

    /// <summary>The layer as compiled functions get it whose maps are products of their own.</summary>
    internal Tensor[] Apart { get; }

    /// <summary>The same with maps that read the same rows as one, in the place of the first: q|k|v and gate|up.</summary>
    internal Tensor[] Joined { get; }

    internal void Dispose()
    {
        foreach (var tensor in _owned)
            tensor.Dispose();
    }

    /// <summary>Memory that stays until it is disposed.</summary>
    internal static Tensor Empty(long[] shape, ScalarType dtype, Device device) => empty(shape, dtype, device).DetachFromDisposeScope();
}
