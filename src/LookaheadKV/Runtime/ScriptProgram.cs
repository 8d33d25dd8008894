using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TorchSharp;

namespace LookaheadKV.Runtime;

/// <summary>
/// Compiled TorchScript functions, run either by the plain interpreter, operator by operator exactly as written, or by the profiling
/// executor, which may fuse pointwise operators into generated kernels.
/// </summary>
/// <remarks>
/// The profiling executor rewrites a function after its first calls, so the bits of a result depend on how often it has run: a resumed
/// training would differ from an unbroken one. The plain interpreter is therefore the default.
/// </remarks>
internal sealed class ScriptProgram(string source, bool fuse) : IDisposable
{
    private static readonly Lock ProfilingMode = new();
    private readonly torch.jit.CompilationUnit unit = torch.jit.compile(source + "\n"); // the last line must end
    private readonly ConcurrentDictionary<string, bool> started = [];

    /// <summary>Whether functions whose first call comes now would get the profiling executor: libtorch's flag, as it is between first calls.</summary>
    internal static bool IsProfiling => Marshal.ReadByte(ProfilingFlag()) != 0;

    /// <summary>Calls a function that returns one tensor; arguments may be tensors, lists of tensors, int, double and bool.</summary>
    public torch.Tensor Invoke(string function, params object[] arguments) => (torch.Tensor)Run(function, arguments);

    /// <summary>Calls a function that returns a list of tensors.</summary>
    public torch.Tensor[] InvokeMany(string function, params object[] arguments) => (torch.Tensor[])Run(function, arguments);

    private object Run(string function, object[] arguments)
    {
        if (started.ContainsKey(function))
            return ScriptCall.Run(unit, function, arguments);
        // libtorch chooses a function's executor at its first call, from a process-wide flag: no first call may see the flag of another.
        lock (ProfilingMode)
        {
            if (fuse)
                return Started(ScriptCall.Run(unit, function, arguments));
            var flag = ProfilingFlag();
            var before = Marshal.ReadByte(flag);
            Marshal.WriteByte(flag, 0);
            try
            {
                return Started(ScriptCall.Run(unit, function, arguments));
            }
            finally
            {
                Marshal.WriteByte(flag, before);
            }
        }

        object Started(object result)
        {
            started[function] = true;
            return result;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => unit.Dispose();

    // std::atomic<bool>& torch::jit::getProfilingMode(), which TorchSharp does not bind.
    private static unsafe IntPtr ProfilingFlag()
    {
        var (library, symbol) =
            OperatingSystem.IsWindows() ? ("torch_cpu.dll", "?getProfilingMode@jit@torch@@YAAEAU?$atomic@_N@std@@XZ")
            : OperatingSystem.IsMacOS() ? ("libtorch_cpu.dylib", "_ZN5torch3jit16getProfilingModeEv")
            : ("libtorch_cpu.so", "_ZN5torch3jit16getProfilingModeEv");
        if (!NativeLibrary.TryLoad(library, out var handle) || !NativeLibrary.TryGetExport(handle, symbol, out var export))
            throw new InputException(
                $"{library} does not export the switch of the plain interpreter: let compiled functions run fused (--execution fused, or Fuse in training)."
            );
        return ((delegate* unmanaged<IntPtr>)export)();
    }
}
