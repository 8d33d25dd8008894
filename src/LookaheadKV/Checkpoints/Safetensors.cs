using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>Writes safetensors files, which <see cref="SafetensorsFile"/> and every other implementation read.</summary>
public static class Safetensors
{
    /// <summary>
    /// Writes tensors, bit for bit, from any device. The same tensors give the same bytes in whatever order they come: larger element
    /// types first, so that each lies aligned, then by name. The file appears whole or not at all.
    /// </summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="tensors">Names, all different, and tensors of any shape.</param>
    /// <param name="metadata">Notes that are written with them.</param>
    /// <exception cref="InputException">A name comes twice or is reserved, a type is none of the format's, or the file cannot be written.</exception>
    public static void Write(
        string path,
        IEnumerable<(string Name, Tensor Tensor)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null
    )
    {
        var all = tensors
            .Select(entry => (entry.Name, entry.Tensor, Type: TypeOf(path, entry.Name, entry.Tensor)))
            .OrderByDescending(entry => SafetensorsTypes.Size(entry.Tensor.dtype))
            .ThenBy(entry => entry.Name, StringComparer.Ordinal)
            .ToList();
        if (all.GroupBy(entry => entry.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"Cannot write {path}: two tensors are named '{twice.Key}'; give each its own name.");
        var header = Header(all, metadata);
        AtomicFile.Write(
            path,
            stream =>
            {
                Span<byte> length = stackalloc byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
                stream.Write(length);
                stream.Write(header);
                foreach (var (_, tensor, _) in all)
                    WriteBytes(stream, tensor);
            }
        );
    }

    private static string TypeOf(string path, string name, Tensor tensor) =>
        name == SafetensorsHeader.MetadataKey
            ? throw new InputException($"Cannot write {path}: the name {name} is the format's own; name the tensor otherwise.")
            : SafetensorsTypes.Name(tensor.dtype)
                ?? throw new InputException(
                    $"Cannot write {path}: tensor '{name}' has type {tensor.dtype}; convert it to one of {SafetensorsTypes.Names}."
                );

    /// <summary>The JSON, padded with spaces so that the tensors' bytes begin at a multiple of 8.</summary>
    private static byte[] Header(List<(string Name, Tensor Tensor, string Type)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(SafetensorsHeader.MetadataKey);
                foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            var begin = 0L;
            foreach (var (name, tensor, type) in tensors)
            {
                var end = begin + tensor.numel() * SafetensorsTypes.Size(tensor.dtype);
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                WriteNumbers(json, "shape", tensor.shape);
                WriteNumbers(json, "data_offsets", [begin, end]);
                json.WriteEndObject();
                begin = end;
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, long[] values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void WriteBytes(Stream stream, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var (_, chunk) in TensorBytes.Chunks(tensor.cpu().contiguous()))
            stream.Write(chunk.bytes);
    }
}
