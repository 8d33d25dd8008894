using System.Security.Cryptography;

namespace LookaheadKV.Checkpoints;

/// <summary>What tells one model folder from another without reading gigabytes of weights.</summary>
public static class FolderFingerprint
{
    private const int Sample = 1 << 16;
    private const int Samples = 16;
    private static readonly string[] Configurations = [ModelFiles.Config, ModelFiles.GenerationConfig];

    /// <summary>
    /// SHA-256 (64 hex digits) over the configurations and, of every file of weights, its length and 16 spans of 64 KiB from its begin to its
    /// end. It does not depend on where the model lies.
    /// </summary>
    /// <param name="model">Where the model is: what <see cref="ModelFiles.Open"/> takes.</param>
    /// <exception cref="InputException">A file cannot be read.</exception>
    public static string Of(string model)
    {
        var files = ModelFiles.Open(model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in Configurations.Where(files.Has))
        {
            var bytes = files.Bytes(name);
            AddName(hash, name, bytes.Length);
            hash.AppendData(bytes);
        }
        foreach (var (name, path) in files.WeightFiles)
            try
            {
                AddSpans(hash, name, path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
            }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void AddName(IncrementalHash hash, string name, long length) =>
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {length}\n"));

    private static void AddSpans(IncrementalHash hash, string name, string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        AddName(hash, name, length);
        var buffer = new byte[Sample];
        var step = Math.Max(Sample, (length - Sample) / (Samples - 1));
        for (var at = 0L; at < length; at += step)
            hash.AppendData(buffer, 0, RandomAccess.Read(file, buffer, at));
    }
}
