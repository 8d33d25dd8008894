using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LookaheadKV.Cache;

/// <summary>Memory that tensors really hold.</summary>
public static partial class StorageBytesOf
{
    /// <summary>Bytes of the storage behind a tensor of any dtype: a view of a larger tensor counts the whole of the larger tensor.</summary>
    public static long Tensor(Tensor tensor)
    {
        var bytes = (long)StorageBytes(tensor.Handle);
        GC.KeepAlive(tensor);
        return bytes;
    }

    // TorchSharp binds this for element types that C# has, bfloat16 not among them.
    [LibraryImport("LibTorchSharp", EntryPoint = "THSStorage_nbytes")]
    private static partial ulong StorageBytes(nint tensor);
}
