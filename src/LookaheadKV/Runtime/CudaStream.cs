using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace LookaheadKV.Runtime;

/// <summary>
/// c10::cuda::CUDAStream, which TorchSharp does not bind: device type, device index, and the stream's id. Operators go to the thread's current stream. The
/// functions are called by their exported C++ names (Linux).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe record struct CudaStream(long Device, long Id)
{
    private static readonly Lazy<Functions?> Exported = new(Functions.Find);
    private static readonly ConcurrentDictionary<(int Device, bool HighPriority), CudaStream> Own = [];

    /// <summary>Whether libtorch exports what is called here.</summary>
    public static bool IsBound => Exported.Value is not null;

    /// <summary>The stream that this thread's operators go to.</summary>
    public static CudaStream Current(int device) => Call.Current(device);

    /// <summary>This library's own stream of a device and priority, always the same: the allocator and cuBLAS keep memory for each that was ever used.</summary>
    public static CudaStream Of(int device, bool highPriority) =>
        Own.GetOrAdd((device, highPriority), key => Call.FromPool(key.Device, key.HighPriority));

    /// <summary>Sends this thread's operators here from now on.</summary>
    public void MakeCurrent() => Call.MakeCurrent(this);

    /// <summary>The driver's handle; 0 is the default stream.</summary>
    public nint Handle => Call.Handle(this);

    private static Functions Call => Exported.Value ?? throw new InvalidOperationException("libtorch's CUDA streams are not bound.");

    private sealed class Functions(nint current, nint set, nint pool, nint handle)
    {
        public static Functions? Find()
        {
            if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad("libc10_cuda.so", out var library))
                return null;
            nint[] found =
            [
                Export("_ZN3c104cuda20getCurrentCUDAStreamEa"),
                Export("_ZN3c104cuda20setCurrentCUDAStreamENS0_10CUDAStreamE"),
                Export("_ZN3c104cuda17getStreamFromPoolEba"),
                Export("_ZNK3c104cuda10CUDAStream6streamEv"),
            ];
            return found.Contains(0) ? null : new Functions(found[0], found[1], found[2], found[3]);

            nint Export(string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;
        }

        public CudaStream Current(int device) => ((delegate* unmanaged<sbyte, CudaStream>)current)((sbyte)device);

        public void MakeCurrent(CudaStream stream) => ((delegate* unmanaged<CudaStream, void>)set)(stream);

        public CudaStream FromPool(int device, bool highPriority) =>
            ((delegate* unmanaged<byte, sbyte, CudaStream>)pool)((byte)(highPriority ? 1 : 0), (sbyte)device);

        public nint Handle(CudaStream stream) => ((delegate* unmanaged<CudaStream*, nint>)handle)(&stream);
    }
}
