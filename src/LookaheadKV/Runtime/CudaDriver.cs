using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace LookaheadKV.Runtime;

/// <summary>What the NVIDIA driver says of a GPU; TorchSharp has no call for it.</summary>
internal static unsafe class CudaDriver
{
    private static readonly Lazy<nint> Library = new(() => NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1"));
    private static readonly ConcurrentDictionary<string, nint> Exports = [];

    /// <summary>Name ("NVIDIA H100 80GB HBM3") and memory in bytes of the GPU with libtorch's index.</summary>
    /// <exception cref="InputException">The driver refuses the answer.</exception>
    internal static (string Name, long Bytes) Describe(int index)
    {
        var init = (delegate* unmanaged<uint, int>)Export("cuInit");
        var get = (delegate* unmanaged<int*, int, int>)Export("cuDeviceGet");
        var getName = (delegate* unmanaged<byte*, int, int, int>)Export("cuDeviceGetName");
        var getMemory = (delegate* unmanaged<nuint*, int, int>)Export("cuDeviceTotalMem_v2");

        int device;
        nuint bytes;
        var name = stackalloc byte[256];
        Check("cuInit", init(0));
        Check("cuDeviceGet", get(&device, index));
        Check("cuDeviceGetName", getName(name, 256, device));
        Check("cuDeviceTotalMem", getMemory(&bytes, device));
        return (Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)), (long)bytes);
    }

    /// <summary>Bytes of a GPU's memory that are in use, by this process and any other, allocators' reserves included.</summary>
    /// <exception cref="InputException">The driver refuses the answer.</exception>
    internal static long BytesInUse(int index)
    {
        var info = (delegate* unmanaged<nuint*, nuint*, int>)Export("cuMemGetInfo_v2");
        nuint free = 0,
            total = 0;
        InContext(
            index,
            () =>
            {
                nuint f,
                    t;
                Check("cuMemGetInfo", info(&f, &t));
                (free, total) = (f, t);
            }
        );
        return (long)(total - free);
    }

    /// <summary>Runs calls of the driver in the context that libtorch uses on a GPU.</summary>
    internal static void InContext(int index, Action calls)
    {
        var get = (delegate* unmanaged<int*, int, int>)Export("cuDeviceGet");
        var retain = (delegate* unmanaged<nint*, int, int>)Export("cuDevicePrimaryCtxRetain");
        var push = (delegate* unmanaged<nint, int>)Export("cuCtxPushCurrent_v2");
        var pop = (delegate* unmanaged<nint*, int>)Export("cuCtxPopCurrent_v2");
        var release = (delegate* unmanaged<int, int>)Export("cuDevicePrimaryCtxRelease_v2");

        int device;
        nint context;
        Check("cuDeviceGet", get(&device, index));
        Check("cuDevicePrimaryCtxRetain", retain(&context, device));
        try
        {
            Check("cuCtxPushCurrent", push(context));
            try
            {
                calls();
            }
            finally
            {
                Check("cuCtxPopCurrent", pop(&context));
            }
        }
        finally
        {
            Check("cuDevicePrimaryCtxRelease", release(device));
        }
    }

    /// <summary>The address of a function of the driver, looked up once: some are called for every layer.</summary>
    internal static nint Export(string name) => Exports.GetOrAdd(name, key => NativeLibrary.GetExport(Library.Value, key));

    internal static void Check(string call, int result)
    {
        if (result != 0)
            throw new InputException($"The NVIDIA driver's {call} failed with error {result}; check the driver with nvidia-smi.");
    }
}
