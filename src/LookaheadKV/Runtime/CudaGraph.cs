using System.Runtime.InteropServices;
using TorchSharp;

namespace LookaheadKV.Runtime;

/// <summary>
/// GPU work that was recorded once and is launched as a whole from then on: libtorch's <c>at::cuda::CUDAGraph</c>, which TorchSharp does not bind. The
/// recording names tensors by their addresses: what it reads and writes must stay where it is, and what it allocated lives as long as the recording.
/// </summary>
/// <remarks>
/// Its functions are called by their exported C++ names (Linux). They throw C++ exceptions, which .NET cannot catch, so that the work is run once outside
/// of a recording before it is recorded: what can fail fails there.
/// </remarks>
internal sealed unsafe class CudaGraph : IDisposable
{
    // Its members take some 200 bytes; the size differs between versions of libtorch.
    private const int ObjectBytes = 4096;

    // Other threads may allocate meanwhile.
    private const int CaptureOfThisThread = 1;

    private nint _graph;

    private CudaGraph(nint graph) => _graph = graph;

    /// <summary>Why there can be no recordings here; null where there can.</summary>
    public static string? Missing =>
        !OperatingSystem.IsLinux() ? "CUDA graphs are called by names that only libtorch for Linux has"
        : !torch.cuda.is_available() ? "libtorch sees no GPU"
        : Symbols.Value is null ? "this libtorch does not export at::cuda::CUDAGraph as it was in versions 2.8 to 2.11"
        : null;

    /// <summary>Records work on a stream of its own, after it has run there <paramref name="warmUps"/> times.</summary>
    /// <param name="device">The GPU's index.</param>
    /// <param name="warmUps">At least 1: kernels are compiled and workspaces allocated before the recording.</param>
    /// <param name="work">What to record; it must not wait for the GPU nor read from it.</param>
    /// <param name="after">Part of the recording too, but not of the runs before it.</param>
    /// <returns>The recording, and what the recorded work returned: every launch writes there.</returns>
    /// <exception cref="InputException">There can be no recordings here.</exception>
    public static (CudaGraph Graph, torch.Tensor Result) Record(int device, int warmUps, Func<torch.Tensor> work, Action after)
    {
        if (Missing is { } reason)
            throw new InputException($"decoding steps cannot be recorded: {reason}; use --execution compiled or fused.");
        var call = Symbols.Value!;
        var before = CudaStream.Current(device);
        torch.cuda.synchronize();
        CudaStream.Of(device, highPriority: false).MakeCurrent();
        try
        {
            for (var i = 0; i < warmUps; i++)
                work().Dispose();
            torch.cuda.synchronize();
            var graph = new CudaGraph((nint)NativeMemory.AllocZeroed(ObjectBytes));
            call.Construct(graph._graph, 0);
            call.Begin(graph._graph, default, CaptureOfThisThread);
            var result = work();
            after();
            call.End(graph._graph);
            return (graph, result);
        }
        finally
        {
            before.MakeCurrent();
        }
    }

    /// <summary>Launches the recorded work behind what was launched before; returns at once.</summary>
    public void Launch() => Symbols.Value!.Replay(_graph);

    /// <summary>Frees the recording and the memory that it allocated.</summary>
    public void Dispose()
    {
        if (_graph == 0)
            return;
        Symbols.Value!.Destruct(_graph);
        NativeMemory.Free((void*)_graph);
        _graph = 0;
    }

    private static readonly Lazy<Functions?> Symbols = new(() =>
    {
        if (!CudaStream.IsBound || !NativeLibrary.TryLoad("libtorch_cuda.so", out var library))
            return null;
        nint[] found =
        [
            Find("_ZN2at4cuda9CUDAGraphC1Eb"),
            Find("_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode"),
            Find("_ZN2at4cuda9CUDAGraph11capture_endEv"),
            Find("_ZN2at4cuda9CUDAGraph6replayEv"),
            Find("_ZN2at4cuda9CUDAGraphD1Ev"),
        ];
        return found.Contains(0) ? null : new Functions(found);

        nint Find(string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;
    });

    // std::pair<unsigned long long, unsigned long long>; zeros ask for a pool of one's own.
    private readonly record struct Pool(ulong First, ulong Second);

    private sealed class Functions(nint[] addresses)
    {
        public void Construct(nint graph, byte keep) => ((delegate* unmanaged<nint, byte, void>)addresses[0])(graph, keep);

        public void Begin(nint graph, Pool pool, int mode) => ((delegate* unmanaged<nint, Pool, int, void>)addresses[1])(graph, pool, mode);

        public void End(nint graph) => ((delegate* unmanaged<nint, void>)addresses[2])(graph);

        public void Replay(nint graph) => ((delegate* unmanaged<nint, void>)addresses[3])(graph);

        public void Destruct(nint graph) => ((delegate* unmanaged<nint, void>)addresses[4])(graph);
    }
}
