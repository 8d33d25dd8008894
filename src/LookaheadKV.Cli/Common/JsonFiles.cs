using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using LookaheadKV.Files;

namespace LookaheadKV.Cli.Common;

/// <summary>The JSON that the command reads and writes.</summary>
internal static class JsonFiles
{
    /// <summary>One line, camelCase, text readable.</summary>
    public static JsonSerializerOptions Options { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        };

    /// <summary>The same, indented.</summary>
    public static JsonSerializerOptions Indented { get; } = new(Options) { WriteIndented = true };

    /// <summary>Token ids: a JSON array of integers.</summary>
    public static int[] Ids(string path) =>
        Root(path, "a JSON array of token ids, such as [5, 17, 3]", root => root.Items().Select(id => id.Integer()));

    /// <summary>Texts: a JSON array of strings.</summary>
    public static string[] Texts(string path) => Root(path, "a JSON array of strings", root => root.Items().Select(text => text.Text()));

    /// <summary>A file's text.</summary>
    public static string Text(string path) => TextFile.Read(path);

    private static T[] Root<T>(string path, string wanted, Func<JsonField, IEnumerable<T>> read)
    {
        var bytes = TextFile.Opened(path, File.ReadAllBytes);
        try
        {
            return [.. read(new JsonText(path, bytes).Root)];
        }
        catch (InputException error)
        {
            throw new InputException($"{error.Message.TrimEnd('.')}; the file must hold {wanted}.", error);
        }
    }
}
