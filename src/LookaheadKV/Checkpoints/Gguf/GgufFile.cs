using System.Globalization;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// A GGUF file, or the several that one model was split into (<c>NAME-00001-of-00003.gguf</c>, the first of which has the metadata). Opening reads
/// and checks the headers; a file is mapped only while it is read.
/// </summary>
internal sealed partial class GgufFile
{
    private readonly IReadOnlyList<string> _parts;
    private readonly Dictionary<string, (int Part, GgufTensor Tensor)> _tensors;

    private GgufFile(IReadOnlyList<string> parts, GgufMetadata metadata, Dictionary<string, (int Part, GgufTensor Tensor)> tensors)
    {
        (_parts, Metadata, _tensors) = (parts, metadata, tensors);
    }

    /// <summary>The metadata, of the first part where there are several.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The paths of all parts.</summary>
    public IReadOnlyList<string> Parts => _parts;

    /// <summary>All tensors, part by part in the order of their bytes.</summary>
    public IEnumerable<GgufTensor> Tensors => _tensors.Values.Select(entry => entry.Tensor);

    /// <summary>The tensor of a name; null if there is none.</summary>
    public GgufTensor? Find(string name) => _tensors.TryGetValue(name, out var entry) ? entry.Tensor : null;

    /// <summary>Opens a file, and the other parts of the model where it is the first of several.</summary>
    /// <exception cref="InputException">A file is missing or damaged, or is not the first part.</exception>
    public static GgufFile Open(string path)
    {
        var first = Header(path);
        var parts = PartsOf(path, first.Metadata);
        var tensors = new Dictionary<string, (int Part, GgufTensor Tensor)>(StringComparer.Ordinal);
        for (var part = 0; part < parts.Count; part++)
        {
            var header = part == 0 ? first : Header(parts[part]);
            if (part > 0 && header.Metadata.WholeOrNull("split.no") != part)
                throw new InputException($"{parts[part]}: it is not part {part + 1} of {path}; fetch it again.");
            foreach (var tensor in header.Tensors)
                if (!tensors.TryAdd(tensor.Name, (part, tensor)))
                    throw new InputException($"{parts[part]}: tensor {tensor.Name} is in another part too; fetch all parts again.");
        }
        if (first.Metadata.WholeOrNull("split.tensors.count") is { } count && count != tensors.Count)
            throw new InputException(
                $"{path}: its {parts.Count} parts hold {tensors.Count} tensors, it states {count}; fetch all parts again."
            );
        return new(parts, first.Metadata, tensors);
    }

    /// <summary>Reads tensors, in the order of the files.</summary>
    /// <param name="places">By name, what takes the tensor's rows in their order: any type, on any device, a view of the rows in another order for one.</param>
    /// <param name="progress">Receives every tensor that was read.</param>
    /// <param name="cancellation">Looked at before every tensor.</param>
    public void ReadInto(
        IReadOnlyDictionary<string, Tensor> places,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var total = places.Keys.Sum(name => _tensors[name].Tensor.Bytes);
        var done = 0L;
        foreach (var part in places.Keys.Select(name => _tensors[name]).GroupBy(entry => entry.Part, entry => entry.Tensor))
        {
            using var bytes = MappedBytes.Open(_parts[part.Key]);
            foreach (var tensor in part.OrderBy(tensor => tensor.Begin))
            {
                cancellation.ThrowIfCancellationRequested();
                if (tensor.Begin + tensor.Bytes > bytes.Length)
                    throw new InputException($"{_parts[part.Key]}: it became shorter while it was read; fetch it again.");
                TensorReading.Into(bytes, tensor, places[tensor.Name]);
                progress?.Report(new ReadProgress(done += tensor.Bytes, total, tensor.Name));
            }
        }
    }

    private static GgufHeader Header(string path)
    {
        using var bytes = MappedBytes.Open(path);
        return GgufHeader.Read(path, bytes);
    }

    private static IReadOnlyList<string> PartsOf(string path, GgufMetadata metadata)
    {
        var count = metadata.WholeOrNull("split.count") ?? 1;
        if (count <= 1)
            return [path];
        var name = PartName().Match(path);
        if (!name.Success || name.Groups["count"].Value != Number(count))
            throw new InputException(
                $"{path}: it is one of {count} parts, whose names must end in -00001-of-{Number(count)}.gguf and so on; give the parts their names again."
            );
        var stem = path[..name.Index];
        string[] parts = [.. Enumerable.Range(1, count).Select(part => $"{stem}-{Number(part)}-of-{Number(count)}.gguf")];
        if (metadata.WholeOrNull("split.no") is > 0 and var later)
            throw new InputException($"{path}: it is part {later + 1} of {count}; name the first, {parts[0]}.");
        return Array.Find(parts, part => !File.Exists(part)) is { } missing
            ? throw new InputException($"{path}: {missing} is missing, one of the {count} parts of this model; fetch it too.")
            : parts;
    }

    /// <summary>The path without the extension, and of a split file without its number.</summary>
    public static string Stem(string path) =>
        PartName().Match(path) is { Success: true } part ? path[..part.Index] : Path.ChangeExtension(path, null);

    /// <summary>Whether a path is not that of a later part of a split model.</summary>
    public static bool IsFirst(string path) =>
        PartName().Match(path) is not { Success: true } part || part.Groups["part"].Value == Number(1);

    private static string Number(int part) => part.ToString("00000", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"-(?<part>\d{5})-of-(?<count>\d{5})\.gguf\z")]
    private static partial Regex PartName();
}
