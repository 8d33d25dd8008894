using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Memory that tensors really hold.</summary>
public static class StorageBytesOf
{
    /// <summary>Bytes of the storage behind a tensor: a view of a larger tensor counts the whole of the larger tensor.</summary>
    /// <exception cref="NotSupportedException">The dtype is not one that a cache holds.</exception>
    public static long Tensor(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        // A storage is typed; asking with another type would count a converted copy.
        return tensor.dtype switch
        {
            ScalarType.Float32 => Count<float>(tensor, 4),
            ScalarType.Float64 => Count<double>(tensor, 8),
            ScalarType.Int64 => Count<long>(tensor, 8),
            ScalarType.BFloat16 or ScalarType.Float16 => Count<short>(Operators.Bits16(tensor), 2),
            var other => throw new NotSupportedException($"storage of dtype {other} is not counted here."),
        };
    }

    private static long Count<T>(Tensor tensor, long elementSize)
        where T : unmanaged
    {
        using var storage = tensor.storage<T>();
        return storage.Count * elementSize;
    }
}
