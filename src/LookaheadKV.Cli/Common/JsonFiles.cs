using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

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
    public static int[] Ids(string path) => Read<int[]>(path, "a JSON array of token ids, such as [5, 17, 3]");

    /// <summary>Texts: a JSON array of strings.</summary>
    public static string[] Texts(string path)
    {
        const string Wanted = "a JSON array of strings";
        var texts = Read<string?[]>(path, Wanted);
        return texts.All(text => text is not null)
            ? [.. texts.OfType<string>()]
            : throw new InputException($"{path}: a null is no text; the file must hold {Wanted}.");
    }

    /// <summary>A file's text.</summary>
    public static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private static T Read<T>(string path, string wanted)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(Text(path)) ?? throw new InputException($"{path}: null; the file must hold {wanted}.");
        }
        catch (JsonException e)
        {
            throw new InputException(
                $"{path}: line {e.LineNumber + 1}, byte {e.BytePositionInLine}: not valid; the file must hold {wanted}.",
                e
            );
        }
    }
}
