using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace LookaheadKV.Files;

/// <summary>Files read whole, and bytes that must be text.</summary>
internal static class TextFile
{
    /// <summary>A file's text.</summary>
    /// <exception cref="InputException">It cannot be read, or is not UTF-8.</exception>
    public static string Read(string file) => Decode(file, Opened(file, File.ReadAllBytes));

    /// <summary>Bytes as text, without a byte order mark.</summary>
    /// <param name="name">What messages call them.</param>
    /// <param name="bytes">UTF-8.</param>
    /// <exception cref="InputException">They are something else.</exception>
    public static string Decode(string name, ReadOnlySpan<byte> bytes)
    {
        RequireUtf8(name, bytes);
        return Encoding.UTF8.GetString(bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes);
    }

    /// <summary>Makes sure that bytes are UTF-8.</summary>
    /// <param name="name">What messages call them.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="firstLine">The line in which they begin.</param>
    /// <exception cref="InputException">They are not; the message names the line and the byte.</exception>
    public static void RequireUtf8(string name, ReadOnlySpan<byte> bytes, int firstLine = 1)
    {
        if (Utf8.IsValid(bytes))
            return;
        var at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out var length) == OperationStatus.Done)
            at += length;
        var line = firstLine + bytes[..at].Count((byte)'\n');
        throw new InputException($"{name}: line {line}: byte {at} is no UTF-8 (0x{bytes[at]:X2}); save the text as UTF-8.");
    }

    /// <summary>Opens or reads a file; what goes wrong is one line that names it.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    public static T Opened<T>(string file, Func<string, T> open)
    {
        try
        {
            return open(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InputException($"{file} cannot be read: {Quoting.OneLine(error.Message)}", error);
        }
    }
}
