using System.Globalization;
using System.Text;

namespace LookaheadKV.Files;

/// <summary>
/// Recognises, by their first bytes, the files that stand under a model file's name most often and are something else: what a clone without
/// Git LFS leaves, an error page, an archive, a checkpoint of another format.
/// </summary>
internal static class ForeignFile
{
    /// <summary>Bytes that are enough to tell: a Git LFS pointer has fewer.</summary>
    public const int Head = 1024;

    private const string Pointer = "version https://git-lfs.github.com/spec/";

    private static readonly (byte[] Begin, string What)[] Formats =
    [
        ([0x1F, 0x8B], "a gzip archive; unpack it"),
        ("PK\u0003\u0004"u8.ToArray(), "a zip archive or a PyTorch checkpoint; fetch the model's .safetensors"),
        ([0x80, 0x02], "a Python pickle; fetch the model's .safetensors"),
        ([0x80, 0x03], "a Python pickle; fetch the model's .safetensors"),
        ([0x80, 0x04], "a Python pickle; fetch the model's .safetensors"),
        ([0x80, 0x05], "a Python pickle; fetch the model's .safetensors"),
        ([0x28, 0xB5, 0x2F, 0xFD], "a zstd archive; unpack it"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz archive; unpack it"),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file; fetch the model's .safetensors"),
        ("GGUF"u8.ToArray(), "a GGUF file; give it to --model under a name that ends in .gguf"),
    ];

    /// <summary>What a file is instead of what its name says, and what to do; null where nothing foreign is recognised.</summary>
    /// <param name="head">The file's first bytes, at least <see cref="Head"/> of them where it has as many.</param>
    public static string? Describe(ReadOnlySpan<byte> head)
    {
        head = head[..Math.Min(head.Length, Head)];
        foreach (var (begin, what) in Formats)
            if (head.StartsWith(begin))
                return what;
        var text = Encoding.Latin1.GetString(head.StartsWith(Encoding.UTF8.Preamble) ? head[Encoding.UTF8.Preamble.Length..] : head);
        if (text.StartsWith(Pointer, StringComparison.Ordinal))
            return $"a Git LFS pointer in place of the file itself{Size(text)}; fetch that with `git lfs pull`";
        var start = text.TrimStart();
        return
            start.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase)
            ? "an HTML page, such as a server's error or login page; fetch the file itself"
            : null;
    }

    /// <summary>Refuses a file that is something else.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="head">Its first bytes.</param>
    /// <exception cref="InputException">It is.</exception>
    public static void Refuse(string name, ReadOnlySpan<byte> head)
    {
        if (Describe(head) is { } what)
            throw new InputException($"{name}: this is {what}.");
    }

    private static string Size(string pointer) =>
        pointer.Split('\n').FirstOrDefault(line => line.StartsWith("size ", StringComparison.Ordinal)) is { } line
        && long.TryParse(line.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? string.Create(CultureInfo.InvariantCulture, $", which has {bytes:N0} bytes")
            : "";
}
