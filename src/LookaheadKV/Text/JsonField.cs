using System.Text;
using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>A value of a JSON file that knows its name, for the messages. A JSON null counts as absent.</summary>
internal readonly record struct JsonField(JsonElement Element, string Name, string Path)
{
    public bool Present => Element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    public bool IsArray => Element.ValueKind == JsonValueKind.Array;

    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    public bool IsText => Element.ValueKind == JsonValueKind.String;

    public JsonField this[string name]
    {
        get
        {
            var inner = Name.Length == 0 ? name : $"{Name}.{name}";
            if (Present && !IsObject)
                throw Unsupported("an object");
            return new JsonField(Present && Element.TryGetProperty(name, out var value) ? value : default, inner, Path);
        }
    }

    /// <summary>Has <paramref name="parse"/> read a model's small file, and turns what goes wrong into one line that names the file.</summary>
    public static T Read<T>(ModelFiles files, string file, Func<JsonField, T> parse)
    {
        var path = files.NameOf(file);
        var bytes = files.Bytes(file).AsMemory();
        try
        {
            using var document = JsonDocument.Parse(
                bytes.Span.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes
            );
            return parse(new JsonField(document.RootElement, "", path));
        }
        catch (JsonException error)
        {
            throw new InputException($"{path}: not valid JSON ({Quoting.OneLine(error.Message)}); fetch or write the file again.", error);
        }
        catch (InvalidOperationException error) // the kinds are checked before: what is left is text that cannot be unescaped
        {
            throw new InputException($"{path}: holds half of a surrogate pair, which is no text; fetch or write the file again.", error);
        }
    }

    public string Text() => IsText ? Element.GetString()! : throw Unsupported("a string");

    public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Unsupported("a number");

    public int Integer() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) ? value : throw Unsupported("a whole number");

    public bool Flag(bool absent) =>
        Element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => Present ? throw Unsupported("true or false") : absent,
        };

    public IEnumerable<JsonField> Items()
    {
        if (!IsArray)
            throw Unsupported("a list");
        var (name, path) = (Name, Path);
        return Element.EnumerateArray().Select((item, index) => new JsonField(item, $"{name}[{index}]", path));
    }

    public IEnumerable<(string Key, JsonField Value)> Properties()
    {
        if (!IsObject)
            throw Unsupported("an object");
        var (name, path) = (Name, Path);
        return Element
            .EnumerateObject()
            .Select(property => (property.Name, new JsonField(property.Value, $"{name}[{Quoting.Quote(property.Name)}]", path)));
    }

    public InputException Unsupported(string allowed) =>
        new($"{Path}: {(Name.Length == 0 ? "the file" : Name)} is {Shown()}; this reader takes {allowed}.");

    private string Shown() => Present ? Quoting.Shown(Element) : "missing";
}
