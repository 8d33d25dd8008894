using System.Runtime.InteropServices;
using System.Text;

namespace LookaheadKV.Runtime;

/// <summary>What the NVIDIA driver says of a GPU; TorchSharp has no call for it.</summary>
internal static unsafe class CudaDriver
{
    /// <summary>Name ("NVIDIA H100 80GB HBM3") and memory in bytes of the GPU with libtorch's index.</summary>
    /// <exception cref="InputException">The driver refuses the answer.</exception>
    internal static (string Name, long Bytes) Describe(int index)
    {
        var driver = NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
        var init = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(driver, "cuInit");
        var get = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(driver, "cuDeviceGet");
        var getName = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(driver, "cuDeviceGetName");
        var getMemory = (delegate* unmanaged<nuint*, int, int>)NativeLibrary.GetExport(driver, "cuDeviceTotalMem_v2");

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
        var driver = NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
        var get = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(driver, "cuDeviceGet");
        var retain = (delegate* unmanaged<nint*, int, int>)NativeLibrary.GetExport(driver, "cuDevicePrimaryCtxRetain");
        var push = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(driver, "cuCtxPushCurrent_v2");
        var info = (delegate* unmanaged<nuint*, nuint*, int>)NativeLibrary.GetExport(driver, "cuMemGetInfo_v2");
        var pop = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(driver, "cuCtxPopCurrent_v2");
        var release = (delegate* unmanaged<int, int>)NativeLibrary.GetExport(driver, "cuDevicePrimaryCtxRelease_v2");

        int device;
        nint context;
        nuint free,
            total;
        Check("cuDeviceGet", get(&device, index));
        Check("cuDevicePrimaryCtxRetain", retain(&context, device));
        Check("cuCtxPushCurrent", push(context));
        Check("cuMemGetInfo", info(&free, &total));
        Check("cuCtxPopCurrent", pop(&context));
        Check("cuDevicePrimaryCtxRelease", release(device));
        return (long)(total - free);
    }

    private static void Check(string call, int result)
    {
        if (result != 0)
            throw new InputException($"The NVIDIA driver's {call} failed with error {result}; check the driver with nvidia-smi.");
    }
}
