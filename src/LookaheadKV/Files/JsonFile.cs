using System.Text;
using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>JSON files of the user's: one document, or one on every line.</summary>
internal static class JsonFile
{
    /// <summary>A file that is one document.</summary>
    /// <exception cref="InputException">The file cannot be read or is not JSON.</exception>
    public static JsonText Read(string file) => new(file, TextFile.Opened(file, File.ReadAllBytes));

    /// <summary>A file that is one document, as an object of .NET.</summary>
    /// <param name="file">The file.</param>
    /// <param name="wanted">What it must hold, for messages.</param>
    /// <param name="options">How it is read.</param>
    /// <exception cref="InputException">The file cannot be read or holds something else.</exception>
    public static T Read<T>(string file, string wanted, JsonSerializerOptions? options = null) => Read(file).As<T>(wanted, options);

    /// <summary>The documents of a file that has one on every line; blank lines are passed over. Lines are read as they are asked for.</summary>
    /// <exception cref="InputException">The file cannot be read, or a line is not JSON.</exception>
    public static IEnumerable<JsonField> Lines(string file)
    {
        // Read as bytes, so that what is not UTF-8 is told with its line and not replaced.
        using var reader = new StreamReader(TextFile.Opened(file, File.OpenRead), Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        for (var number = 1; reader.ReadLine() is { } line; number++)
            if (!string.IsNullOrWhiteSpace(line))
                yield return new JsonText(file, Encoding.Latin1.GetBytes(line), number).Root;
    }

    /// <summary>The elements of a file that is a JSON array, or the documents of one that has one on every line.</summary>
    /// <exception cref="InputException">The file cannot be read, or is neither.</exception>
    public static IEnumerable<JsonField> ArrayOrLines(string file)
    {
        using (var reader = new StreamReader(TextFile.Opened(file, File.OpenRead)))
        {
            int letter;
            do letter = reader.Read();
            while (letter >= 0 && char.IsWhiteSpace((char)letter));
            if (letter != '[')
                return Lines(file);
        }
        return Read(file).Root.Items();
    }
}
