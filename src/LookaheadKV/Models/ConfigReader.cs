using System.Text.Json;

namespace LookaheadKV.Models;

/// <summary>Typed access to one JSON object of a configuration file; every error names the file and the key.</summary>
internal sealed class ConfigReader(string path, JsonElement root)
{
    public string Path => path;

    public int Int(string key, int? fallback = null) =>
        Find(key) is not { } value ? fallback ?? throw Missing(key)
        : WholeNumber(value) is { } number && number > 0 ? number
        : throw Wrong(key, value, "a positive whole number");

    /// <summary>A positive whole number; null where the key is null or not there.</summary>
    public int? IntOrNull(string key) => Find(key) is null ? null : Int(key);

    /// <summary>Whether the key is there, null or not.</summary>
    public bool Has(string key) => root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out _);

    /// <summary>The keys that have a value.</summary>
    public IEnumerable<string> Keys => root.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name);

    public double? Double(string key, double? fallback) =>
        Find(key) is not { } value ? fallback
        : value.ValueKind == JsonValueKind.Number ? value.GetDouble()
        : throw Wrong(key, value, "a number");

    public bool Bool(string key, bool fallback) =>
        Find(key) is not { } value ? fallback
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Wrong(key, value, "true or false");

    public string String(string key) => String(key, null) ?? throw Missing(key);

    public string? String(string key, string? fallback) =>
        Find(key) is not { } value ? fallback
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong(key, value, "a string");

    public IReadOnlyList<string> Strings(string key) =>
        Find(key) is not { } value ? []
        : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(e => e.ToString())]
        : throw Wrong(key, value, "a list of strings");

    /// <summary>One number or a list of numbers.</summary>
    public IReadOnlyList<int> Ints(string key) =>
        Find(key) is not { } value ? []
        : WholeNumber(value) is { } number ? [number]
        : value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(e => WholeNumber(e) ?? throw Wrong(key, value, "a whole number or a list of them"))]
        : throw Wrong(key, value, "a whole number or a list of them");

    public ConfigReader? Object(string key) =>
        Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? new ConfigReader(path, value)
        : throw Wrong(key, value, "an object");

    /// <summary>Refuses, by name, a value that is not one of those implemented.</summary>
    public void Refuse<T>(string key, T value, params T[] implemented)
    {
        if (!implemented.Contains(value))
            throw new InputException($"{path}: {key} \"{value}\" is not implemented; allowed: {string.Join(", ", implemented)}.");
    }

    /// <summary>Refuses a key by name, whatever its value.</summary>
    public void RefuseKey(string key, string advice)
    {
        if (Find(key) is not null)
            throw new InputException($"{path}: {key} is not implemented; {advice}.");
    }

    private static int? WholeNumber(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    private JsonElement? Find(string key) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    private InputException Missing(string key) => new($"{path}: key \"{key}\" is missing; is this the config.json of a language model?");

    private InputException Wrong(string key, JsonElement value, string wanted) => new($"{path}: \"{key}\" is {value}, expected {wanted}.");
}
