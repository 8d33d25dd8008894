using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>
/// A value of a JSON document that knows where it stands, so that every error names the file, the line and the value. A JSON null counts as absent.
/// </summary>
/// <param name="Document">What it is of.</param>
/// <param name="Name">The way from the document's root, such as <c>data[3].context</c>; empty at the root.</param>
/// <param name="Element">The value.</param>
internal readonly record struct JsonField(JsonText Document, string Name, JsonElement Element)
{
    private const int Longest = 40;

    /// <summary>The file, and the line where it has a document on each.</summary>
    public string Source => Document.Source;

    public bool Present => Element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    /// <summary>Whether the file says anything of it, null too.</summary>
    public bool IsGiven => Element.ValueKind != JsonValueKind.Undefined;

    /// <summary>Whether the file says null, and not nothing.</summary>
    public bool IsNull => Element.ValueKind == JsonValueKind.Null;

    public bool IsArray => Element.ValueKind == JsonValueKind.Array;

    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    public bool IsText => Element.ValueKind == JsonValueKind.String;

    /// <summary>The member of an object; of nothing, nothing.</summary>
    public JsonField this[string name]
    {
        get
        {
            if (Present && !IsObject)
                throw Unsupported("an object");
            return new JsonField(Document, Join(Name, name), Present && Element.TryGetProperty(name, out var value) ? value : default);
        }
    }

    /// <summary>The member of an object, or null where it is absent or null.</summary>
    public JsonField? Find(string name) =>
        !IsObject ? throw Unsupported("an object")
        : this[name] is { Present: true } member ? member
        : null;

    /// <summary>The member of an object that must be there.</summary>
    public JsonField Member(string name) => Find(name) ?? throw new InputException($"{Source}: {Join(Name, name)} is missing.");

    /// <summary>A string.</summary>
    public string Text() => IsText ? Element.GetString()! : throw Unsupported("a string");

    /// <summary>An array of strings, not empty.</summary>
    public IReadOnlyList<string> Texts()
    {
        string[] texts = [.. Items().Select(static item => item.Text())];
        return texts.Length > 0 ? texts : throw Unsupported("at least one string");
    }

    /// <summary>A finite number.</summary>
    public double Number() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetDouble(out var number) && double.IsFinite(number)
            ? number
            : throw Unsupported("a number");

    /// <summary>A whole number, also as Python writes one that was computed, such as 4096.0.</summary>
    public int Integer() => Whole(int.MinValue, "a whole number");

    /// <summary>A whole number that is not negative.</summary>
    public int Count() => Whole(0, "a whole number that is not negative");

    /// <summary>A whole number of 64 bits that is not negative.</summary>
    public long Size() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt64(out var number) && number >= 0
            ? number
            : throw Unsupported("a whole number that is not negative");

    /// <summary>A whole number of 1 or more.</summary>
    public int Positive() => Whole(1, "a positive whole number");

    /// <summary>What <paramref name="read"/> makes of the value, or what stands for one that is absent.</summary>
    public T Or<T>(T absent, Func<JsonField, T> read) => Present ? read(this) : absent;

    /// <summary>A number; null where it is absent.</summary>
    public double? NumberIfAny() => Present ? Number() : null;

    /// <summary>True or false; absent, what <paramref name="absent"/> says.</summary>
    public bool Flag(bool absent) => Present ? Truth() : absent;

    /// <summary>True or false.</summary>
    public bool Truth() =>
        Element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Unsupported("true or false"),
        };

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (!IsArray)
            throw Unsupported("an array");
        var (document, name) = (Document, Name);
        return Element.EnumerateArray().Select((item, index) => new JsonField(document, $"{name}[{index}]", item));
    }

    /// <summary>One value or an array of them; none where there is nothing.</summary>
    public IEnumerable<JsonField> OneOrMany() =>
        !Present ? []
        : IsArray ? Items()
        : [this];

    /// <summary>The members of an object, in order.</summary>
    public IEnumerable<(string Key, JsonField Value)> Properties()
    {
        if (!IsObject)
            throw Unsupported("an object");
        var (document, name) = (Document, Name);
        return Element
            .EnumerateObject()
            .Select(property => (property.Name, new JsonField(document, Join(name, property.Name), property.Value)));
    }

    /// <summary>The error of a value that is not what it must be.</summary>
    public InputException Unsupported(string allowed, Exception? inner = null) =>
        Element.ValueKind == JsonValueKind.Undefined
            ? new($"{Source}: {Name} is missing, must be {allowed}.", inner!)
            : Wrong($"is {Shown()}, must be {allowed}", inner);

    /// <summary>The error of a value, in words that follow its name.</summary>
    public InputException Wrong(string what, Exception? inner = null) =>
        Name.Length == 0 ? new($"{Source}: the value {what}.", inner!) : Document.At(Document.LineOf(Name), $"{Name} {what}", inner);

    internal static string Join(string parent, string key) =>
        !key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') || key.Length == 0 ? $"{parent}[{Quoting.Quote(key)}]"
        : parent.Length == 0 ? key
        : $"{parent}.{key}";

    private int Whole(int least, string allowed) =>
        Element.ValueKind == JsonValueKind.Number
        && Element.TryGetDouble(out var number)
        && Math.Floor(number) == number
        && number >= least
        && number <= int.MaxValue
            ? (int)number
            : throw Unsupported(allowed);

    private string Shown()
    {
        return Element.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => Element.GetArrayLength() == 0 ? "an empty array" : "an array",
            JsonValueKind.String => Quoting.Quote(Cut(Element.GetString()!)),
            _ => Cut(Element.GetRawText()),
        };

        static string Cut(string text) => text.Length <= Longest ? text : $"{text[..Longest]}…";
    }
}
