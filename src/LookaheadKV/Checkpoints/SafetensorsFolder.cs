using System.Text.Json;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// The tensors of a Hugging Face folder: one <c>model.safetensors</c>, or shards that <c>model.safetensors.index.json</c> names. Opening it reads
/// and checks every header and no tensor; reading goes shard by shard, each unmapped before the next is mapped.
/// </summary>
public sealed class SafetensorsFolder
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";
    private const int NamesInMessage = 6;
    private static readonly ScalarType[] Weights = [ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64];

    private readonly string _folder;
    private readonly Dictionary<string, (string File, SafetensorsInfo Info)> _tensors;

    private SafetensorsFolder(string folder, Dictionary<string, (string File, SafetensorsInfo Info)> tensors)
    {
        (_folder, _tensors) = (folder, tensors);
    }

    /// <summary>All names, file by file in the order of their bytes.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Bytes that the tensors of the largest file hold.</summary>
    public long LargestFileBytes => _tensors.Values.GroupBy(tensor => tensor.File).Max(file => file.Sum(tensor => tensor.Info.Bytes));

    /// <summary>Type and shape of a tensor.</summary>
    /// <exception cref="KeyNotFoundException">The folder has no tensor of that name.</exception>
    public SafetensorsInfo Info(string name) => _tensors[name].Info;

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
            $"{single}: no such file, and no {Index} beside it; give a Hugging Face folder with safetensors weights in it."
        );
    }

    /// <summary>Checks that the folder holds exactly these tensors, in types that weights have; one error lists all that are missing, surplus, misshapen or of another type.</summary>
    /// <param name="wanted">Names and shapes.</param>
    /// <param name="mayBeSurplus">Names that may be there although nobody asks for them.</param>
    /// <exception cref="InputException">Something does not fit.</exception>
    public void Require(IReadOnlyList<(string Name, long[] Shape)> wanted, Func<string, bool> mayBeSurplus)
    {
        var names = wanted.Select(tensor => tensor.Name).ToHashSet();
        var there = wanted.Where(tensor => _tensors.ContainsKey(tensor.Name)).ToList();
        string[] faults =
        [
            .. List("missing", names.Where(name => !_tensors.ContainsKey(name))),
            .. List("surplus", _tensors.Keys.Where(name => !names.Contains(name) && !mayBeSurplus(name))),
            .. List(
                "misshapen",
                there
                    .Where(tensor => !Info(tensor.Name).Shape.SequenceEqual(tensor.Shape))
                    .Select(tensor =>
                        $"{tensor.Name} [{string.Join(", ", Info(tensor.Name).Shape)}] instead of [{string.Join(", ", tensor.Shape)}]"
                    )
            ),
            .. List(
                "of a type that no weight has",
                there
                    .Where(tensor => !Weights.Contains(Info(tensor.Name).DType))
                    .Select(tensor => $"{tensor.Name} {Info(tensor.Name).DType}")
            ),
        ];
        if (faults.Length > 0)
            throw new InputException(
                $"{_folder}: its weights do not fit its config.json: {string.Join("; ", faults)}; fetch the folder again."
            );
    }

    /// <summary>Reads tensors to where they shall be, in the order of the files; of the host's memory, one tensor is in use at a time for those that live elsewhere.</summary>
    /// <param name="places">Tensors of the stored shapes, on any device in any type, by the names that all must be there.</param>
    /// <param name="progress">Receives every tensor that was read.</param>
    /// <param name="cancellation">Looked at before every tensor.</param>
    public void ReadInto(
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
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(index));
            var map = document.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(e => e.Name, e => e.Value.GetString()!);
            foreach (var (name, shard) in map)
                if (string.IsNullOrEmpty(shard) || Path.GetFileName(shard) != shard)
                    throw new InputException(
                        $"{index}: weight_map places {name} in \"{shard}\", which is no file name; fetch the file again."
                    );
            return map.Count > 0 ? map : throw new InputException($"{index}: its weight_map is empty; fetch the file again.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            throw new InputException($"{index}: it is not JSON with a weight_map of tensor names to files; fetch the file again.", e);
        }
    }

    // None, or one text that names the first of them and counts the rest.
    private static string[] List(string what, IEnumerable<string> names)
    {
        var all = names.ToList();
        var more = all.Count > NamesInMessage ? $" and {all.Count - NamesInMessage} more" : "";
        return all.Count == 0 ? [] : [$"{all.Count} {what} ({string.Join(", ", all.Take(NamesInMessage))}{more})"];
    }
}
