using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>The bytes of a tensor in pieces that a span can hold (a span ends at 2 GiB).</summary>
internal static class TensorBytes
{
    /// <summary>Views of a contiguous CPU tensor, of at most <paramref name="limit"/> bytes each, in order, each with its first byte's place in the tensor; none if it is empty.</summary>
    internal static IEnumerable<(long Offset, Tensor View)> Chunks(Tensor tensor, long limit = 1 << 30)
    {
        var flat = tensor.view(-1);
        var size = SafetensorsTypes.Size(tensor.dtype);
        var count = Math.Max(1, limit / size);
        for (var start = 0L; start < flat.numel(); start += count)
            yield return (start * size, flat.narrow(0, start, Math.Min(count, flat.numel() - start)));
    }
}
