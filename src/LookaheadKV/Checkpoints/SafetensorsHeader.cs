using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// Reads and checks the JSON header of a safetensors file: the tensors' types, shapes and bytes must fit each other, follow one another
/// without gap or overlap, and fill the file.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit, in bytes: a longer header means that the file is something else.</summary>
    internal const long MaxLength = 100_000_000;

    internal const string MetadataKey = "__metadata__";

    /// <param name="json">The header's bytes.</param>
    /// <param name="start">Where the tensors' bytes begin in the file.</param>
    /// <param name="length">Length of the file.</param>
    /// <exception cref="InputException">The header is damaged; the message lacks the file's name.</exception>
    internal static (Dictionary<string, SafetensorsInfo> Tensors, Dictionary<string, string> Metadata) Parse(
        ReadOnlyMemory<byte> json,
        long start,
        long length
    )
    {
        var tensors = new Dictionary<string, SafetensorsInfo>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, value) in new JsonText("its header", json).Root.Properties())
        {
            if (!names.Add(name))
                throw new InputException($"its header names '{name}' twice");
            if (name == MetadataKey)
                metadata = Metadata(value);
            else
                tensors.Add(name, Tensor(name, value, start));
        }
        CheckLayout(tensors, start, length);
        return (tensors, metadata);
    }

    private static Dictionary<string, string> Metadata(JsonField field)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in field.Properties())
            if (!metadata.TryAdd(key, value.Text()))
                throw new InputException($"its {MetadataKey} names '{key}' twice");
        return metadata;
    }

    private static SafetensorsInfo Tensor(string name, JsonField field, long start)
    {
        var (typeName, shape) = (field["dtype"].Text(), Numbers(field["shape"]));
        if (Numbers(field["data_offsets"]) is not [var begin, var end])
            throw field["data_offsets"].Unsupported("two whole numbers");
        var type =
            SafetensorsTypes.Parse(typeName)
            ?? throw new InputException(
                $"tensor '{name}' has dtype {typeName}, which this reader does not know (it knows {SafetensorsTypes.Names}); "
                    + "fetch the model in one of those types"
            );
        var size = Bytes(shape, SafetensorsTypes.Size(type));
        if (begin > end || size != end - begin)
        {
            throw new InputException(
                $"tensor '{name}' of {typeName} [{string.Join(", ", shape)}] needs {size?.ToString() ?? "more than 2^63"} bytes, "
                    + $"its data_offsets are {begin} to {end}"
            );
        }
        return end <= long.MaxValue - start
            ? new SafetensorsInfo(type, shape, start + begin, start + end)
            : throw new InputException($"tensor '{name}' ends at byte {end}, which no file can hold");
    }

    private static long[] Numbers(JsonField field) => [.. field.Items().Select(item => item.Size())];

    /// <summary>Bytes of a tensor; null beyond 2^63.</summary>
    private static long? Bytes(long[] shape, int elementSize)
    {
        if (shape.Contains(0))
            return 0;
        var bytes = (Int128)elementSize;
        foreach (var size in shape)
        {
            bytes *= size;
            if (bytes > long.MaxValue)
                return null;
        }
        return (long)bytes;
    }

    private static void CheckLayout(Dictionary<string, SafetensorsInfo> tensors, long start, long length)
    {
        var at = start;
        var before = "the header";
        foreach (var (name, info) in tensors.OrderBy(tensor => tensor.Value.Begin).ThenBy(tensor => tensor.Value.End))
        {
            if (info.Begin < at)
                throw new InputException($"tensors '{before}' and '{name}' overlap by {at - info.Begin} bytes");
            if (info.Begin > at)
                throw new InputException($"{info.Begin - at} bytes between '{before}' and '{name}' belong to no tensor");
            (at, before) = (info.End, name);
        }
        if (at > length)
            throw new InputException($"it is truncated: {at - length} bytes are missing at the end of tensor '{before}'");
        if (at < length)
            throw new InputException($"{length - at} bytes at its end, after '{before}', belong to no tensor");
    }
}
