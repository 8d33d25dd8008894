using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using LookaheadKV.Files;
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
        var all = tensors.ToList();
        if (all.GroupBy(entry => entry.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"Cannot write {path}: two tensors are named '{twice.Key}'; give each its own name.");
        var byName = all.ToDictionary(entry => entry.Name, entry => entry.Tensor);
        Write(path, [.. all.Select(entry => (entry.Name, entry.Tensor.dtype, entry.Tensor.shape))], name => byName[name], metadata);
    }

    /// <summary>The same, of tensors that are made one after the other: what <paramref name="make"/> gives is freed when it is written.</summary>
    internal static void Write(
        string path,
        IReadOnlyList<(string Name, ScalarType DType, long[] Shape)> tensors,
        Func<string, Tensor> make,
        IReadOnlyDictionary<string, string>? metadata = null
    )
    {
        var ordered = tensors
            .Select(entry => (entry.Name, entry.DType, entry.Shape, Type: TypeOf(path, entry.Name, entry.DType)))
            .OrderByDescending(entry => SafetensorsTypes.Size(entry.DType))
            .ThenBy(entry => entry.Name, StringComparer.Ordinal)
            .ToList();
        var header = Header(ordered, metadata);
        AtomicFile.Write(
            path,
            stream =>
            {
                Span<byte> length = stackalloc byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
                stream.Write(length);
                stream.Write(header);
                foreach (var (name, _, _, _) in ordered)
                {
                    using var scope = NewDisposeScope();
                    WriteBytes(stream, make(name));
                }
            }
        );
    }

    private static string TypeOf(string path, string name, ScalarType dtype) =>
        name == SafetensorsHeader.MetadataKey
            ? throw new InputException($"Cannot write {path}: the name {name} is the format's own; name the tensor otherwise.")
            : SafetensorsTypes.Name(dtype)
                ?? throw new InputException(
                    $"Cannot write {path}: tensor '{name}' has type {dtype}; convert it to one of {SafetensorsTypes.Names}."
                );

    /// <summary>The JSON, padded with spaces so that the tensors' bytes begin at a multiple of 8.</summary>
    private static byte[] Header(
        List<(string Name, ScalarType DType, long[] Shape, string Type)> tensors,
        IReadOnlyDictionary<string, string>? metadata
    )
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
            foreach (var (name, dtype, shape, type) in tensors)
            {
                var end = begin + SafetensorsShards.Bytes(shape, SafetensorsTypes.Size(dtype));
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                WriteNumbers(json, "shape", shape);
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
