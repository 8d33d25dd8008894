using System.Security.Cryptography;

namespace LookaheadKV.Checkpoints;

/// <summary>What tells one model folder from another without reading gigabytes of weights.</summary>
public static class FolderFingerprint
{
    private const int Sample = 1 << 16;
    private const int Samples = 16;
    private static readonly string[] Configurations = ["config.json", "generation_config.json"];

    /// <summary>
    /// SHA-256 (64 hex digits) over the configurations and, of every safetensors file, its length and 16 spans of 64 KiB from its begin to its
    /// end. It does not depend on where the folder lies.
    /// </summary>
    /// <param name="folder">A Hugging Face folder.</param>
    /// <exception cref="InputException">A file cannot be read.</exception>
    public static string Of(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var weights = Directory
            .EnumerateFiles(folder, "*.safetensors")
            .Select(path => Path.GetFileName(path)!)
            .Order(StringComparer.Ordinal);
        foreach (var name in Configurations.Where(name => File.Exists(Path.Combine(folder, name))).Concat(weights))
        {
            try
            {
                Add(hash, name, Path.Combine(folder, name));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"{Path.Combine(folder, name)} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Add(IncrementalHash hash, string name, string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {length}\n"));
        var buffer = new byte[Sample];
        var step = Math.Max(Sample, (length - Sample) / (Samples - 1));
        for (var at = 0L; at < length; at += step)
            hash.AppendData(buffer, 0, RandomAccess.Read(file, buffer, at));
    }
}
