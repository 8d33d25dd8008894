using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>Reads a stored tensor to where it shall be, some rows at a time: besides the place itself, a few MiB are in use.</summary>
internal static unsafe class TensorReading
{
    /// <summary>Elements that are in use besides the place, or one row or group of rows where those are longer.</summary>
    public const long ChunkElements = 1 << 20;

    private const long WorthThreads = 1 << 17;

    /// <param name="bytes">The tensor's file.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="place">
    /// Of its number of elements, in the order of the file; its first dimension may be cut anywhere, as whole rows or as whole groups of rows.
    /// </param>
    /// <param name="scratch">Makes what is used besides the place; by default, memory of the host.</param>
    public static void Into(MappedBytes bytes, GgufTensor tensor, Tensor place, Func<long[], ScalarType, Tensor>? scratch = null)
    {
        scratch ??= (shape, type) => empty(shape, type, CPU);
        if (tensor.Elements == 0)
            return;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var rows = place.dim() < 2 ? place.view(1, -1) : place;
        var rowElements = tensor.Elements / rows.shape[0];
        var stored = tensor.Type.Plain ?? ScalarType.Float32;
        var direct = place.device_type == DeviceType.CPU && place.dtype == stored && place.is_contiguous();
        var step = Math.Max(1, ChunkElements / rowElements);
        for (var row = 0L; row < rows.shape[0]; row += step)
        {
            using var chunk = NewDisposeScope();
            var target = rows.narrow(0, row, Math.Min(step, rows.shape[0] - row));
            var values = direct ? target : scratch(target.shape, stored);
            Fill(tensor.Type, bytes.At(tensor.Begin + tensor.Type.Bytes(row * rowElements)), values);
            if (!direct)
                target.copy_(target.device_type == DeviceType.CPU ? values : values.to(target.device));
        }
    }

    private static void Fill(GgmlType type, byte* source, Tensor values)
    {
        var done = 0L;
        foreach (var (_, part) in TensorBytes.Chunks(values))
        {
            var bytes = part.bytes;
            fixed (byte* target = bytes)
                Fill(type, source + type.Bytes(done), target, part.numel());
            done += part.numel();
        }
    }

    private static void Fill(GgmlType type, byte* source, byte* target, long elements)
    {
        if (type.Dequantize is not { } dequantize)
        {
            Buffer.MemoryCopy(source, target, type.Bytes(elements), type.Bytes(elements));
            return;
        }
        var blocks = elements / type.BlockSize;
        var parts = elements < WorthThreads ? 1 : Environment.ProcessorCount;
        Parallel.For(
            0,
            parts,
            part =>
            {
                var (first, end) = (blocks * part / parts, blocks * (part + 1) / parts);
                dequantize(source + first * type.BlockBytes, (float*)target + first * type.BlockSize, end - first);
            }
        );
    }
}
