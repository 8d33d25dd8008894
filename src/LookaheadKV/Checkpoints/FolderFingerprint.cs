using System.Security.Cryptography;

namespace LookaheadKV.Checkpoints;

/// <summary>What tells one model folder from another without reading gigabytes of weights.</summary>
public static class FolderFingerprint
{
    private const int Span = 1 << 16;
    private const int MostSpans = 1 << 12;
    private static readonly string[] Configurations = [ModelFiles.Config, ModelFiles.GenerationConfig];

    /// <summary>
    /// SHA-256 (64 hex digits) over the configurations and the files of weights: every byte of a file of up to 256 MiB; of a larger one its
    /// length and 4,096 spans of 64 KiB from its first byte to its last, which lie in every large matrix. It does not depend on where the model lies.
    /// </summary>
    /// <param name="model">Where the model is: what <see cref="ModelFiles.Open"/> takes.</param>
    /// <exception cref="InputException">A file cannot be read.</exception>
    public static string Of(string model) =>
        Of(
            model,
            static length =>
            {
                var spans = Math.Clamp((length + Span - 1) / Span, 1, MostSpans);
                return Enumerable.Range(0, (int)spans).Select(i => spans == 1 ? 0 : i * (length - Span) / (spans - 1));
            }
        );

    /// <summary>
    /// The same over 16 spans, which leave out most of a file: a name for results on disk, which would be lost if it changed. Whoever finds results by
    /// it compares <see cref="Of(string)"/> too.
    /// </summary>
    /// <inheritdoc cref="Of(string)"/>
    internal static string Name(string model) =>
        Of(
            model,
            static length =>
            {
                var step = Math.Max(Span, (length - Span) / 15);
                return Enumerable.Range(0, (int)((length + step - 1) / step)).Select(i => i * step);
            }
        );

    private static string Of(string model, Func<long, IEnumerable<long>> begins)
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
                AddSpans(hash, name, path, begins);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
            }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void AddName(IncrementalHash hash, string name, long length) =>
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {length}\n"));

    private static void AddSpans(IncrementalHash hash, string name, string path, Func<long, IEnumerable<long>> begins)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        AddName(hash, name, length);
        var buffer = new byte[Span];
        foreach (var begin in begins(length))
            hash.AppendData(buffer, 0, RandomAccess.Read(file, buffer, begin));
    }
}
