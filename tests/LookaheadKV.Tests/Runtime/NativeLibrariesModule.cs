using System.Runtime.CompilerServices;
using LookaheadKV.Runtime;

namespace LookaheadKV.Tests.Runtime;

internal static class NativeLibrariesModule
{
    /// <summary>Tests may use torch before they use anything of LookaheadKV.</summary>
    [ModuleInitializer]
    internal static void Load() => NativeLibraries.Load();
}
