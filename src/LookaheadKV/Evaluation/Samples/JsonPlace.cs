using System.Text.Json;
using LookaheadKV.Text;

namespace LookaheadKV.Evaluation.Samples;

/// <summary>A value of a JSON file that knows where it stands, so that every error names the file, the line and the value's path.</summary>
/// <param name="Source">The file, with the line where it has many documents.</param>
/// <param name="Path">The way from the document's root, such as <c>data[3].context</c>; empty at the root.</param>
/// <param name="Value">The value.</param>
internal readonly record struct JsonPlace(string Source, string Path, JsonElement Value)
{
    /// <summary>A file that is one document.</summary>
    /// <exception cref="InputException">The file cannot be read or is not JSON.</exception>
    public static JsonPlace ReadDocument(string file)
    {
        using var stream = Open(file);
        try
        {
            return new(file, "", JsonSerializer.Deserialize<JsonElement>(stream));
        }
        catch (JsonException error)
        {
            throw NotJson(file, error);
        }
    }

    /// <summary>The documents of a file that has one on every line; blank lines are passed over. Lines are read as they are asked for.</summary>
    /// <exception cref="InputException">The file cannot be read, or a line is not JSON.</exception>
    public static IEnumerable<JsonPlace> ReadLines(string file)
    {
        using var reader = new StreamReader(Open(file));
        for (var number = 1; reader.ReadLine() is { } line; number++)
            if (!string.IsNullOrWhiteSpace(line))
                yield return ParseLine($"{file}: line {number}", line);
    }

    /// <summary>The elements of a file that is a JSON array, or the documents of one that has one on every line.</summary>
    /// <exception cref="InputException">The file cannot be read, or is neither.</exception>
    public static IEnumerable<JsonPlace> ReadArrayOrLines(string file)
    {
        using (var reader = new StreamReader(Open(file)))
        {
            int letter;
            do letter = reader.Read();
            while (letter >= 0 && char.IsWhiteSpace((char)letter));
            if (letter != '[')
                return ReadLines(file);
        }
        return ReadDocument(file).Items();
    }

    /// <summary>The member of an object that must be there.</summary>
    public JsonPlace Member(string key) => Find(key) ?? throw Wrong(Join(key), "is missing");

    /// <summary>The member of an object, or null where it is absent or null.</summary>
    public JsonPlace? Find(string key)
    {
        if (Value.ValueKind != JsonValueKind.Object)
            throw Expected("an object");
        return Value.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null
            ? this with
            {
                Path = Join(key),
                Value = value,
            }
            : null;
    }

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonPlace> Items()
    {
        if (Value.ValueKind != JsonValueKind.Array)
            throw Expected("an array");
        var place = this;
        return Value.EnumerateArray().Select((element, i) => place with { Path = $"{place.Path}[{i}]", Value = element });
    }

    /// <summary>A string.</summary>
    public string Text() => Value.ValueKind == JsonValueKind.String ? Value.GetString()! : throw Expected("a string");

    /// <summary>An array of strings, not empty.</summary>
    public IReadOnlyList<string> Texts()
    {
        string[] texts = [.. Items().Select(static item => item.Text())];
        return texts.Length > 0 ? texts : throw Expected("at least one string");
    }

    /// <summary>A whole number that is not negative.</summary>
    public int Count() =>
        Value.ValueKind == JsonValueKind.Number && Value.TryGetInt32(out var number) && number >= 0
            ? number
            : throw Expected("a whole number that is not negative");

    /// <summary>True or false.</summary>
    public bool Truth() =>
        Value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Expected("true or false"),
        };

    /// <summary>The error of a value that is not what it must be.</summary>
    public InputException Expected(string what, Exception? inner = null)
    {
        var found = Value.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => Value.GetArrayLength() == 0 ? "an empty array" : "an array",
            JsonValueKind.String => Quoting.Quote(Value.GetString() is { Length: > 40 } text ? text[..40] + "…" : Value.GetString()),
            _ => Value.GetRawText(),
        };
        return Wrong(Path == "" ? "the value" : Path, $"is {found}, must be {what}", inner);
    }

    private InputException Wrong(string path, string what, Exception? inner = null) => new($"{Source}: {path} {what}.", inner!);

    private string Join(string key) => Path == "" ? key : $"{Path}.{key}";

    private static JsonPlace ParseLine(string source, string line)
    {
        try
        {
            return new(source, "", JsonElement.Parse(line));
        }
        catch (JsonException error)
        {
            throw NotJson(source, error);
        }
    }

    private static InputException NotJson(string source, JsonException error) =>
        new($"{source}: not JSON ({Quoting.OneLine(error.Message)})", error);

    private static FileStream Open(string file)
    {
        try
        {
            return File.OpenRead(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InputException($"{file} cannot be read: {Quoting.OneLine(error.Message)}", error);
        }
    }
}
