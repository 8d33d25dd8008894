using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>The tensors of a GGUF file under their Hugging Face names, their rows in the order that those have.</summary>
internal sealed class GgufTensors : ModelTensors
{
    private readonly GgufFile _file;
    private readonly Dictionary<string, GgufTensor> _tensors;
    private readonly Func<string, int?> _interleavedHeads;

    public GgufTensors(string path, GgufFile file, GgufFamily family)
    {
        (Source, _file) = (path, file);
        _tensors = new Dictionary<string, GgufTensor>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors.Where(tensor => tensor.Name != GgufFamily.RotaryFactors))
            if (!_tensors.TryAdd(GgufFamily.HuggingFaceName(tensor.Name), tensor))
                throw new InputException($"{path}: tensor {tensor.Name} is there under another name too; fetch the file again.");
        var shape = new Lazy<GgufShape>(() => GgufShape.Of(file, family));
        _interleavedHeads = name =>
            !family.PairsInterleaved ? null
            : name.Contains(".q_proj.") ? shape.Value.QueryHeads
            : name.Contains(".k_proj.") ? shape.Value.KeyValueHeads
            : null;
    }

    private protected override string Source { get; }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <inheritdoc/>
    public override StoredTensor Stored(string name)
    {
        var tensor = _tensors[name];
        return new(tensor.Type.Name, tensor.Shape, tensor.Bytes, tensor.Type.IsWeight);
    }

    /// <inheritdoc/>
    public override void ReadInto(
        IReadOnlyDictionary<string, Tensor> places,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        using var scope = NewDisposeScope();
        _file.ReadInto(places.ToDictionary(place => _tensors[place.Key].Name, InFileOrder), progress, cancellation);
    }

    // The file has of each head the first numbers of all pairs and the second ones in turn, the place has them in two halves.
    private Tensor InFileOrder(KeyValuePair<string, Tensor> place) =>
        _interleavedHeads(place.Key) is { } heads
            ? place.Value.unflatten(0, heads, 2, place.Value.shape[0] / heads / 2).transpose(1, 2)
            : place.Value;
}
