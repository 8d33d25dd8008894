using System.Buffers.Binary;
using LookaheadKV.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// An open safetensors file: 8 bytes of header length (little-endian), the header (JSON), the tensors' bytes. The file is mapped, not
/// read: a tensor costs memory only once it is asked for.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly string path;
    private readonly Dictionary<string, SafetensorsInfo> tensors;
    private MappedBytes? bytes;

    private SafetensorsFile(
        string path,
        MappedBytes bytes,
        Dictionary<string, SafetensorsInfo> tensors,
        Dictionary<string, string> metadata
    )
    {
        (this.path, this.bytes, this.tensors) = (path, bytes, tensors);
        Metadata = metadata;
        Names = [.. tensors.OrderBy(tensor => tensor.Value.Begin).Select(tensor => tensor.Key)];
    }

    /// <summary>The tensors' names, in the order of their bytes.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The file's own notes; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks all of its header.</summary>
    /// <exception cref="InputException">There is no such file, or it is damaged: the message says what is wrong with it.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"There is no file {path}; give the path of a .safetensors file.");
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            ForeignFile.Refuse(path, Head(stream));
            var json = ReadHeader(stream);
            var (tensors, metadata) = SafetensorsHeader.Parse(json, 8 + json.Length, stream.Length);
            return new SafetensorsFile(path, MappedBytes.Open(path), tensors, metadata);
        }
        catch (InputException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new InputException($"{path} is no sound safetensors file: {e.Message}; copy or create it again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Type, shape and place of a tensor.</summary>
    /// <exception cref="InputException">The file has no tensor of that name.</exception>
    public SafetensorsInfo Info(string name) =>
        tensors.TryGetValue(name, out var info) ? info : throw new InputException($"{path} has no tensor '{name}'; it has {Some(Names)}.");

    /// <summary>Reads a tensor, bit for bit unless <paramref name="dtype"/> asks for another type.</summary>
    /// <param name="name">The tensor's name in the file.</param>
    /// <param name="device">Where it shall live; the CPU if null.</param>
    /// <param name="dtype">The type it shall have; the file's if null.</param>
    /// <returns>A tensor of the file's shape, in the caller's dispose scope.</returns>
    /// <exception cref="InputException">The file has no tensor of that name.</exception>
    public Tensor Read(string name, Device? device = null, ScalarType? dtype = null)
    {
        var info = Info(name);
        var tensor = empty([.. info.Shape], dtype ?? info.DType, device ?? CPU);
        ReadInto(name, tensor);
        return tensor;
    }

    /// <summary>Reads a tensor to where it shall be, bit for bit unless the place is of another type.</summary>
    /// <param name="name">The tensor's name in the file.</param>
    /// <param name="place">A tensor of the file's shape, on any device.</param>
    /// <exception cref="InputException">The file has no tensor of that name.</exception>
    public void ReadInto(string name, Tensor place)
    {
        ObjectDisposedException.ThrowIf(bytes is null, this);
        var (info, from) = (Info(name), bytes);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var onHost = place.device_type == DeviceType.CPU;
        if (onHost && place.dtype == info.DType && place.is_contiguous())
        {
            Copy(from, info, place);
            return;
        }
        var read = empty([.. info.Shape], info.DType, CPU);
        Copy(from, info, read);
        // Another type is made on the device, from the bytes of the file.
        place.copy_(onHost || place.dtype == info.DType ? read : read.to(place.device));
    }

    private static void Copy(MappedBytes from, SafetensorsInfo info, Tensor to)
    {
        foreach (var (offset, chunk) in TensorBytes.Chunks(to))
            from.Span(info.Begin + offset, chunk.bytes.Length).CopyTo(chunk.bytes);
    }

    /// <summary>Unmaps the file; tensors that were read stay.</summary>
    public void Dispose()
    {
        bytes?.Dispose();
        bytes = null;
    }

    private static byte[] Head(FileStream stream)
    {
        var head = new byte[Math.Min(stream.Length, ForeignFile.Head)];
        stream.ReadExactly(head);
        stream.Position = 0;
        return head;
    }

    private static byte[] ReadHeader(FileStream stream)
    {
        if (stream.Length < 8)
            throw new InputException($"it has {stream.Length} bytes, fewer than the 8 that state its header's length");
        Span<byte> prefix = stackalloc byte[8];
        stream.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafetensorsHeader.MaxLength)
            throw new InputException($"it states a header of {length} bytes, the format allows {SafetensorsHeader.MaxLength}");
        var missing = (long)length - (stream.Length - 8);
        if (missing > 0)
            throw new InputException($"it is truncated: {missing} bytes of its header are missing");
        var json = new byte[length];
        stream.ReadExactly(json);
        return json;
    }

    private static string Some(IReadOnlyList<string> names) =>
        names.Count == 0 ? "none"
        : names.Count <= 8 ? string.Join(", ", names)
        : $"{string.Join(", ", names.Take(8))} and {names.Count - 8} more";
}
