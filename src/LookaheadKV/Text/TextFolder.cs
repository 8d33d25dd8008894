using System.Text;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>A folder of plain texts.</summary>
public static class TextFolder
{
    private const string Pattern = "*.txt";

    /// <summary>The .txt files of a folder (UTF-8), a text each, in the order of their names.</summary>
    /// <exception cref="InputException">There is no such folder, it has no such file, or one cannot be read.</exception>
    public static IReadOnlyList<string> Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException($"{folder}: no such folder; give one with texts in it, {Pattern}.");
        string[] files = [.. Directory.EnumerateFiles(folder, Pattern).Order(StringComparer.Ordinal)];
        return files.Length > 0
            ? [.. files.Select(Text)]
            : throw new InputException($"{folder} holds no {Pattern}; give a folder with plain texts.");
    }

    private static string Text(string file)
    {
        try
        {
            return File.ReadAllText(file, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (DecoderFallbackException error)
        {
            throw new InputException($"{file} is not UTF-8 (byte {error.Index}); save it as UTF-8.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{file} cannot be read: {Quoting.OneLine(error.Message)}", error);
        }
    }
}
