using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LookaheadKV.Runtime;

/// <summary>
/// TorchSharp's native library for systems whose C++ runtime is older than the one it was built with (Debian 12, Ubuntu 22.04): a copy
/// that does not insist on the one symbol version it never uses.
/// </summary>
internal static class PatchedShim
{
    /// <summary>The version that the library asks for and does not use.</summary>
    internal const string Version = "GLIBCXX_3.4.32";

    /// <summary>Whether the loader refused the library for that version.</summary>
    internal static bool Cures(DllNotFoundException error) =>
        OperatingSystem.IsLinux() && error.Message.Contains($"version `{Version}' not found", StringComparison.Ordinal);

    /// <summary>Loads a patched copy of the library; the file itself, perhaps a hard link into the NuGet cache, is not touched.</summary>
    internal static void Load(string path)
    {
        var original = File.ReadAllBytes(path);
        var patched = ElfVersionNeeds.MakeOptional(original, Version);
        try
        {
            NativeLibrary.Load(Store(patched, CacheFolder()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No cache to write to: a private folder serves this process, and a loaded file may be deleted.
            var folder = Directory.CreateTempSubdirectory("lookaheadkv-").FullName;
            try
            {
                NativeLibrary.Load(Store(patched, folder));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>
    /// Writes the library under a name of its content unless it is there already. Beside and renamed, so that processes that start
    /// together see all of it or nothing; compared, so that a damaged file is replaced.
    /// </summary>
    /// <returns>The file's path.</returns>
    internal static string Store(byte[] library, string folder)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"libLibTorchSharp-{Convert.ToHexStringLower(SHA256.HashData(library))[..16]}.so");
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(library))
            return path;
        var beside = $"{path}.{Guid.NewGuid():N}";
        try
        {
            File.WriteAllBytes(beside, library);
            File.Move(beside, path, overwrite: true);
        }
        finally
        {
            File.Delete(beside);
        }
        return path;
    }

    private static string CacheFolder()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(cache, "lookaheadkv");
    }
}
