namespace LookaheadKV.Models;

/// <summary>
/// Under which names a family's checkpoints keep what a layer is made of, in file order. A row is a module within the layer and what it holds: a norm, or one
/// linear map, or several whose rows stand one behind the other, with a bias each or none. A model has the rows of which its configuration has something.
/// </summary>
public sealed class WeightTable
{
    private readonly IReadOnlyList<Row> _rows;

    private WeightTable(IReadOnlyList<Row> rows) => _rows = rows;

    private sealed record Row(string Module, NormName? Norm, IReadOnlyList<LinearName> Maps);

    /// <summary>The names that most families have: a norm before each block, norms of heads where there are any, seven maps of their own.</summary>
    public static WeightTable Llama { get; } =
        Of(
            [("input_layernorm", NormName.AttentionIn), ("post_attention_layernorm", NormName.FeedForwardIn)],
            [.. LinearNames.All.Select(name => (name.Path(), (LinearName[])[name]))]
        );

    /// <summary>A table of norms of the blocks and of maps; norms of queries and keys are called alike everywhere.</summary>
    /// <param name="norms">Module and place of each norm of a block.</param>
    /// <param name="maps">Module and maps; several where the file has them as one, neighbours among those that read the same rows.</param>
    public static WeightTable Of(
        IReadOnlyList<(string Module, NormName Norm)> norms,
        IReadOnlyList<(string Module, LinearName[] Maps)> maps
    ) =>
        new([
            .. norms.Select(row => new Row(row.Module, row.Norm, [])),
            .. maps.Select(row => new Row(row.Module, null, row.Maps)),
            new("self_attn.q_norm", NormName.Query, []),
            new("self_attn.k_norm", NormName.Key, []),
        ]);

    /// <summary>The same maps under norms of other names.</summary>
    public WeightTable WithNorms(params (string Module, NormName Norm)[] norms) =>
        Of(norms, [.. _rows.Where(row => row.Maps.Count > 0).Select(row => (row.Module, row.Maps.ToArray()))]);

    /// <summary>Name within a layer and shape of each weight of a model, and what it holds.</summary>
    internal IEnumerable<StoredWeight> Weights(DecoderConfig config)
    {
        foreach (var (module, norm, maps) in _rows)
        {
            if (norm is { } place)
            {
                if (place.Length(config) is { } length)
                    yield return new(module + ".weight", [length], place, [], IsBias: false);
                continue;
            }
            long rows = maps.Sum(name => name.Shape(config).Out);
            yield return new(module + ".weight", [rows, maps[0].Shape(config).In], null, maps, IsBias: false);
            if (maps.Any(config.Biases.Contains))
                yield return new(module + ".bias", [rows], null, maps, IsBias: true);
        }
    }
}

/// <summary>A tensor of a layer as it is stored: a norm's weight, or the rows or biases of linear maps.</summary>
internal sealed record StoredWeight(string Name, long[] Shape, NormName? Norm, IReadOnlyList<LinearName> Maps, bool IsBias);
