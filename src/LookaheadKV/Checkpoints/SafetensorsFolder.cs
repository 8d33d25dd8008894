using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// The tensors of a Hugging Face folder: one <c>model.safetensors</c>, or shards that <c>model.safetensors.index.json</c> names. Opening it reads
/// and checks every header and no tensor; reading goes shard by shard, each unmapped before the next is mapped.
/// </summary>
public sealed class SafetensorsFolder : ModelTensors
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";
    private static readonly ScalarType[] Weights = [ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64];

    private readonly string _folder;
    private readonly Dictionary<string, (string File, SafetensorsInfo Info)> _tensors;

    private SafetensorsFolder(string folder, Dictionary<string, (string File, SafetensorsInfo Info)> tensors)
    {
        (_folder, _tensors) = (folder, tensors);
    }

    private protected override string Source => _folder;

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Bytes that the tensors of the largest file hold.</summary>
    public long LargestFileBytes => _tensors.Values.GroupBy(tensor => tensor.File).Max(file => file.Sum(tensor => tensor.Info.Bytes));

    /// <summary>Type and shape of a tensor.</summary>
    /// <exception cref="KeyNotFoundException">The folder has no tensor of that name.</exception>
    public SafetensorsInfo Info(string name) => _tensors[name].Info;

    /// <inheritdoc/>
    public override StoredTensor Stored(string name)
    {
        var info = Info(name);
        return new(info.DType.ToString(), info.Shape, info.Bytes, Weights.Contains(info.DType));
    }

    /// <summary>Opens a folder and checks the headers of all of its files against its index, where it has one.</summary>
    /// <exception cref="InputException">There are no such files, one is damaged, or the index and the shards do not agree.</exception>
    public static SafetensorsFolder Open(string folder)
    {
        var (single, index) = (Path.Combine(folder, Single), Path.Combine(folder, Index));
        if (File.Exists(single))
            return new(folder, HeaderOf(folder, Single));
        if (File.Exists(index))
            return new(folder, Shards(folder, index));
        throw new InputException(
            $"{single}: no such file, and no {Index} beside it{Others(folder)}; give a Hugging Face folder with safetensors weights in it."
        );
    }

    // Weights of other formats.
    private static string Others(string folder)
    {
        string[] formats = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf"];
        string[] names =
        [
            .. Directory
                .EnumerateFiles(folder)
                .Where(file => formats.Contains(Path.GetExtension(file)))
                .Select(file => Path.GetFileName(file)!)
                .Order(StringComparer.Ordinal),
        ];
        return names.Length == 0
            ? ""
            : $" ({string.Join(", ", names.Take(3))} {(names.Length == 1 ? "is" : "are")} not read as a folder's weights)";
    }

    /// <inheritdoc/>
    public override void ReadInto(
        IReadOnlyDictionary<string, Tensor> places,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var total = places.Keys.Sum(name => Info(name).Bytes);
        var done = 0L;
        foreach (var shard in places.Keys.GroupBy(name => _tensors[name].File))
        {
            using var file = SafetensorsFile.Open(Path.Combine(_folder, shard.Key));
            foreach (var name in shard.OrderBy(name => Info(name).Begin))
            {
                cancellation.ThrowIfCancellationRequested();
                file.ReadInto(name, places[name]);
                progress?.Report(new ReadProgress(done += Info(name).Bytes, total, name));
            }
        }
    }

    private static Dictionary<string, (string File, SafetensorsInfo Info)> Shards(string folder, string index)
    {
        var map = WeightMap(index);
        var tensors = new Dictionary<string, (string File, SafetensorsInfo Info)>(StringComparer.Ordinal);
        foreach (var (shard, names) in map.GroupBy(entry => entry.Value).OrderBy(g => g.Key, StringComparer.Ordinal).Select(Named))
        {
            if (!File.Exists(Path.Combine(folder, shard)))
                throw new InputException($"{folder}: shard {shard}, which {Index} names, is missing; fetch it.");
            foreach (var (name, tensor) in HeaderOf(folder, shard))
            {
                if (!names.Contains(name))
                    throw new InputException(
                        $"{index}: tensor {name} is in {shard}, where the index does not place it; fetch the folder again."
                    );
                tensors.Add(name, tensor);
            }
            if (List("tensors that it lacks", names.Where(name => !tensors.ContainsKey(name))) is [var absent])
                throw new InputException($"{index}: it places in {shard} {absent}; fetch the folder again.");
        }
        return tensors;

        static (string Shard, HashSet<string> Names) Named(IGrouping<string, KeyValuePair<string, string>> group) =>
            (group.Key, group.Select(entry => entry.Key).ToHashSet());
    }

    private static Dictionary<string, (string File, SafetensorsInfo Info)> HeaderOf(string folder, string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(folder, name));
        return file.Names.ToDictionary(tensor => tensor, tensor => (name, file.Info(tensor)), StringComparer.Ordinal);
    }

    private static Dictionary<string, string> WeightMap(string index)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, place) in JsonFile.Read(index).Root.Member("weight_map").Properties())
            map[name] =
                Path.GetFileName(place.Text()) is { Length: > 0 } shard && shard == place.Text()
                    ? shard
                    : throw place.Unsupported("a file name");
        return map.Count > 0 ? map : throw new InputException($"{index}: its weight_map is empty; fetch the file again.");
    }
}
