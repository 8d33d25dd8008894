using System.Text.Encodings.Web;
using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>Puts pieces of a file into a one-line message.</summary>
internal static class Quoting
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The text in quotes, its control characters escaped.</summary>
    public static string Quote(string? text) => JsonSerializer.Serialize(text, Relaxed);

    /// <summary>The beginning of a value of a JSON file, on one line.</summary>
    public static string Shown(JsonElement element)
    {
        const int Most = 80;
        var raw = OneLine(element.GetRawText());
        return raw.Length <= Most ? raw : raw[..Most] + "…";
    }

    /// <summary>The text without line breaks.</summary>
    public static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
