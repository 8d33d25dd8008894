using System.Runtime.InteropServices;

namespace LookaheadKV.Runtime;

/// <summary>
/// Asks Linux to back memory that is about to be filled with pages of 2 MiB instead of 4 KiB. Gigabytes of fresh memory are otherwise taken one
/// page fault per 4 KiB, which costs more than copying the weights into them.
/// </summary>
internal static unsafe partial class HugePages
{
    private const int Advice = 14; // MADV_HUGEPAGE
    private const nuint Page = 4096;
    private const int Least = 4 << 20;

    /// <summary>Advises on the whole pages of a span; on small ones, and on other systems, it does nothing. It is advice: a refusal is none of the caller's concern.</summary>
    public static void Advise(Span<byte> memory)
    {
        if (!OperatingSystem.IsLinux() || memory.Length < Least)
            return;
        fixed (byte* start = memory)
        {
            var first = ((nuint)start + Page - 1) / Page * Page;
            var last = ((nuint)start + (nuint)memory.Length) / Page * Page;
            _ = MAdvise(first, last - first, Advice);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(nuint address, nuint length, int advice);
}
