using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>The bytes of a tensor in pieces that a span can hold (a span ends at 2 GiB).</summary>
internal static class TensorBytes
{
    /// <summary>Views of a contiguous CPU tensor, of at most <paramref name="limit"/> bytes each, in order; none if it is empty.</summary>
    internal static IEnumerable<Tensor> Chunks(Tensor tensor, long limit = 1 << 30)
    {
        var flat = tensor.view(-1);
        var count = Math.Max(1, limit / SafetensorsTypes.Size(tensor.dtype));
        for (var start = 0L; start < flat.numel(); start += count)
            yield return flat.narrow(0, start, Math.Min(count, flat.numel() - start));
    }
}
