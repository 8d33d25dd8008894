using System.Runtime.InteropServices;

namespace LookaheadKV.Runtime;

/// <summary>
/// Large tensors of the CPU in pages of 2 MiB instead of 4 KiB, where Linux hands them out on request only (its usual setting). Fresh memory is otherwise
/// taken one page fault per 4 KiB, which costs several times what writing to it does, and every operator that returns a large tensor takes fresh memory.
/// </summary>
internal static partial class HugePages
{
    // Read by libtorch's allocator once, before its first tensor.
    private const string Variable = "THP_MEM_ALLOC_ENABLE";

    /// <summary>Has libtorch ask for large pages in this process, unless the variable already says whether it should. To be called before libtorch is loaded.</summary>
    public static void Request()
    {
        if (OperatingSystem.IsLinux())
            _ = SetNative(Variable, "1", overwrite: 0);
    }

    // .NET's own setter does not reach native code.
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetNative(string name, string value, int overwrite);
}
