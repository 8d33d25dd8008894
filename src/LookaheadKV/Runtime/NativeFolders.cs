using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;

namespace LookaheadKV.Runtime;

/// <summary>Where the native libraries may lie, and what they are called on this system.</summary>
internal static class NativeFolders
{
    /// <summary>The runtime identifier of the NuGet packages for this process: linux-x64, win-x64, osx-arm64, ...</summary>
    internal static string RuntimeIdentifier { get; } =
        (
            OperatingSystem.IsWindows() ? "win"
            : OperatingSystem.IsMacOS() ? "osx"
            : "linux"
        )
        + "-"
        + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>The NuGet package with the CPU build of libtorch for this system.</summary>
    internal static string LibTorchPackage { get; } = $"libtorch-cpu-{RuntimeIdentifier}";

    /// <summary>The version of a package that LookaheadKV was built with: "TorchSharp" or "LibTorch".</summary>
    internal static string BuiltWith(string package) =>
        typeof(NativeFolders)
            .Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == package + "Version")
            .Value!;

    /// <summary>The file name of a native library: "torch_cpu" is libtorch_cpu.so, torch_cpu.dll or libtorch_cpu.dylib.</summary>
    internal static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : $"lib{library}.so";

    /// <summary>The folders that TorchSharp's own search looks through, in its order: those the host names, then its assembly's.</summary>
    internal static IReadOnlyList<string> SearchedByTorchSharp()
    {
        var host = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(
            Path.PathSeparator,
            StringSplitOptions.RemoveEmptyEntries
        );
        return [.. Normal(host.Append(FolderOf(typeof(TorchSharp.torch))))];
    }

    /// <summary>
    /// The folders that may hold a native library of a NuGet package: first TorchSharp's search, so that it and we find the same file;
    /// then the folders of the program, of TorchSharp and of LookaheadKV, each with its runtimes/RID/native; then the NuGet cache.
    /// </summary>
    internal static IReadOnlyList<string> Candidates(string package, string version)
    {
        var beside = new[] { AppContext.BaseDirectory, FolderOf(typeof(TorchSharp.torch)), FolderOf(typeof(NativeFolders)) }.SelectMany(
            folder => string.IsNullOrEmpty(folder) ? [] : new[] { folder, NativeAssets(folder) }
        );
        var cache = NativeAssets(Path.Combine(NuGetCache(), package.ToLowerInvariant(), version));
        return [.. Normal(SearchedByTorchSharp().Concat(beside).Append(cache))];
    }

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "Within a single file it is empty, and dropped.")]
    private static string? FolderOf(Type type) => Path.GetDirectoryName(type.Assembly.Location);

    private static IEnumerable<string> Normal(IEnumerable<string?> folders) =>
        folders.Where(folder => !string.IsNullOrEmpty(folder)).Select(folder => Path.TrimEndingDirectorySeparator(folder!)).Distinct();

    private static string NativeAssets(string folder) => Path.Combine(folder, "runtimes", RuntimeIdentifier, "native");

    private static string NuGetCache() =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(
                Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify),
                ".nuget",
                "packages"
            );
}
