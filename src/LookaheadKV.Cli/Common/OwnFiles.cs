using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Cli.Common;

/// <summary>Tells what a verb wrote from what others did, by the beginning of a file.</summary>
internal static class OwnFiles
{
    // Longer than any command line.
    private const int HeadBytes = 1 << 18;

    /// <summary>What <c>--json</c> of a verb writes: an object whose run names the verb's command.</summary>
    public static bool IsResultOf(string verb, string path) =>
        Reads(
            path,
            static (ref Utf8JsonReader json, string verb) =>
                IsObject(ref json) && NextIs(ref json, "run") && IsObject(ref json) && Finds(ref json, "command") && Begins(ref json, verb),
            $"lookahead {verb} "
        );

    /// <summary>A JSON object, or lines of them, that begins with these members, as far as one sees.</summary>
    public static bool IsObjectOf(string path, params string[] members) =>
        Reads(
            path,
            static (ref Utf8JsonReader json, string[] members) =>
            {
                if (!IsObject(ref json))
                    return false;
                foreach (var member in members)
                {
                    if (!NextIs(ref json, member))
                        return false;
                    if (!json.Read() || !json.TrySkip())
                        return !json.IsFinalBlock;
                }
                return true;
            },
            members
        );

    /// <summary>An object's member; null where the file is no object with such a member.</summary>
    public static JsonElement? Member(string path, string member)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path));
            return document.RootElement.TryGetProperty(member, out var value) ? value.Clone() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A JSON array of arrays.</summary>
    public static bool IsArrayOfArrays(string path) =>
        Reads(
            path,
            static (ref Utf8JsonReader json, int _) =>
                json.Read()
                && json.TokenType == JsonTokenType.StartArray
                && json.Read()
                && json.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray,
            0
        );

    /// <summary>A safetensors file of these tensors and no others, but for those that may be left out.</summary>
    public static bool IsTensors(string path, string[] names, params string[] optional) =>
        IsTensors(path, all => names.All(all.Contains) && all.All(name => names.Contains(name) || optional.Contains(name)));

    private static bool IsTensors(string path, Func<IReadOnlyCollection<string>, bool> test)
    {
        try
        {
            using var file = SafetensorsFile.Open(path);
            return test([.. file.Names]);
        }
        catch (InputException)
        {
            return false;
        }
    }

    /// <summary>A safetensors file with a tensor of this name.</summary>
    public static bool HasTensor(string path, string name) => IsTensors(path, names => names.Contains(name));

    /// <summary>A file whose text begins so.</summary>
    public static bool BeginsWith(string path, string text) => System.Text.Encoding.UTF8.GetString(Head(path).Bytes).StartsWith(text);

    /// <summary>A file whose first line ends so.</summary>
    public static bool FirstLineEnds(string path, string text) =>
        System.Text.Encoding.UTF8.GetString(Head(path).Bytes).Split('\n')[0].TrimEnd().EndsWith(text, StringComparison.Ordinal);

    /// <summary>A page that a report of ours is.</summary>
    public static bool IsPage(string path) =>
        System.Text.Encoding.UTF8.GetString(Head(path).Bytes).Contains("<meta name=\"generator\" content=\"LookaheadKV\">");

    private delegate bool Test<T>(ref Utf8JsonReader json, T argument);

    private static bool Reads<T>(string path, Test<T> test, T argument)
    {
        var (bytes, whole) = Head(path);
        var json = new Utf8JsonReader(bytes, new JsonReaderOptions { AllowMultipleValues = true });
        if (!whole)
            json = new Utf8JsonReader(
                bytes,
                isFinalBlock: false,
                new JsonReaderState(new JsonReaderOptions { AllowMultipleValues = true })
            );
        try
        {
            return test(ref json, argument);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool IsObject(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.StartObject;

    private static bool NextIs(ref Utf8JsonReader json, string member) =>
        json.Read() && json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals(member);

    private static bool Finds(ref Utf8JsonReader json, string member)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals(member))
                return json.Read() && json.TokenType == JsonTokenType.String;
            if (!json.Read() || !json.TrySkip())
                return false;
        }
        return false;
    }

    private static bool Begins(ref Utf8JsonReader json, string text) => json.GetString()!.StartsWith(text, StringComparison.Ordinal);

    private static (byte[] Bytes, bool Whole) Head(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var length = RandomAccess.GetLength(file);
            var bytes = new byte[Math.Min(length, HeadBytes)];
            var read = RandomAccess.Read(file, bytes, 0);
            return (bytes[..read], length <= HeadBytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
