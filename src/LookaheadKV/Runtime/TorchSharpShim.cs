using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LookaheadKV.Runtime;

/// <summary>
/// Loads TorchSharp's own native library, also on systems whose C++ runtime is older than the one it was built with (Debian 12,
/// Ubuntu 22.04): there a copy of it is loaded that does not insist on the one symbol version it never uses.
/// </summary>
internal static class TorchSharpShim
{
    /// <summary>The version that the library lists for a marker symbol of its compiler, and does not use.</summary>
    internal const string UnusedVersion = "GLIBCXX_3.4.32";

    /// <summary>Loads the library. The file itself, perhaps a hard link into the NuGet cache, is never touched.</summary>
    /// <exception cref="DllNotFoundException">The loader refuses it for another reason.</exception>
    /// <exception cref="InvalidDataException">The version is used after all.</exception>
    internal static void Load(string path)
    {
        try
        {
            NativeLibrary.Load(path);
        }
        catch (DllNotFoundException e) when (e.Message.Contains($"version `{UnusedVersion}' not found", StringComparison.Ordinal))
        {
            LoadPatched(ElfLibrary.MakeOptional(File.ReadAllBytes(path), UnusedVersion));
        }
    }

    private static void LoadPatched(byte[] library)
    {
        string stored;
        try
        {
            stored = Store(library, CacheFolder());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No cache to write to: a private folder serves this process, and the file of a loaded library may be deleted.
            var folder = Directory.CreateTempSubdirectory("lookaheadkv-").FullName;
            try
            {
                NativeLibrary.Load(Store(library, folder));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
            return;
        }
        NativeLibrary.Load(stored);
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
            : Path.Combine(
                Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify),
                ".cache"
            );
        return Path.Combine(cache, "lookaheadkv");
    }
}
