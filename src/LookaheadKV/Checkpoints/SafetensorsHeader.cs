using System.Text.Json;

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
        using var document = ParseJson(json);
        var tensors = new Dictionary<string, SafetensorsInfo>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (!names.Add(property.Name))
                throw new InputException($"its header names '{property.Name}' twice");
            if (property.Name == MetadataKey)
                metadata = Metadata(property.Value);
            else
                tensors.Add(property.Name, Tensor(property.Name, property.Value, start));
        }
        CheckLayout(tensors, start, length);
        return (tensors, metadata);
    }

    private static JsonDocument ParseJson(ReadOnlyMemory<byte> json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw new InputException($"its header is not JSON (at byte {8 + e.BytePositionInLine})", e);
        }
        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return document;
        document.Dispose();
        throw new InputException("its header is JSON, but not an object");
    }

    private static Dictionary<string, string> Metadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Any(entry => entry.Value.ValueKind != JsonValueKind.String))
            throw new InputException($"its {MetadataKey} is not an object of strings");
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in value.EnumerateObject())
        {
            if (!metadata.TryAdd(entry.Name, entry.Value.GetString()!))
                throw new InputException($"its {MetadataKey} names '{entry.Name}' twice");
        }
        return metadata;
    }

    private static SafetensorsInfo Tensor(string name, JsonElement value, long start)
    {
        if (
            value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype)
            || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shapeElement)
            || Numbers(shapeElement) is not { } shape
            || !value.TryGetProperty("data_offsets", out var offsetsElement)
            || Numbers(offsetsElement) is not [var begin, var end]
        )
        {
            throw new InputException($"tensor '{name}' lacks a dtype, a shape of numbers ≥ 0, or two data_offsets ≥ 0");
        }
        var type =
            SafetensorsTypes.Parse(dtype.GetString()!)
            ?? throw new InputException($"tensor '{name}' has dtype {dtype.GetString()}; those known are {SafetensorsTypes.Names}");
        var size = Bytes(shape, SafetensorsTypes.Size(type));
        if (begin > end || size != end - begin)
        {
            throw new InputException(
                $"tensor '{name}' of {dtype.GetString()} [{string.Join(", ", shape)}] needs {size?.ToString() ?? "more than 2^63"} bytes, "
                    + $"its data_offsets are {begin} to {end}"
            );
        }
        return end <= long.MaxValue - start
            ? new SafetensorsInfo(type, shape, start + begin, start + end)
            : throw new InputException($"tensor '{name}' ends at byte {end}, which no file can hold");
    }

    /// <summary>The values of an array of integers ≥ 0; null if it is anything else.</summary>
    private static long[]? Numbers(JsonElement array)
    {
        if (array.ValueKind != JsonValueKind.Array)
            return null;
        var values = new long[array.GetArrayLength()];
        for (var i = 0; i < values.Length; i++)
        {
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt64(out values[i]) || values[i] < 0)
                return null;
        }
        return values;
    }

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
