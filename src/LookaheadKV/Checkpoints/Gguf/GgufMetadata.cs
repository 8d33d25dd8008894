using System.Globalization;
using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>The metadata of a GGUF file, with a type; every error names the file and the key.</summary>
internal sealed class GgufMetadata(string path, IReadOnlyDictionary<string, object> entries)
{
    public string Path => path;

    public bool Has(string key) => entries.ContainsKey(key);

    public string Text(string key) => TextOrNull(key) ?? throw Missing(key);

    public string? TextOrNull(string key) =>
        entries.GetValueOrDefault(key) is { } value ? value as string ?? throw Wrong(key, "a text") : null;

    public bool? FlagOrNull(string key) =>
        entries.GetValueOrDefault(key) is { } value ? value as bool? ?? throw Wrong(key, "true or false") : null;

    /// <summary>A positive whole number.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fallback">What it is where the key is not there; null if it must be.</param>
    public int Count(string key, int? fallback = null) =>
        WholeOrNull(key) is not { } value ? fallback ?? throw Missing(key)
        : value > 0 ? value
        : throw Wrong(key, "a positive whole number");

    /// <summary>A positive whole number, or the same for each layer.</summary>
    public int CountOfLayers(string key, int? fallback = null)
    {
        if (entries.GetValueOrDefault(key) is not Array layers)
            return Count(key, fallback);
        var counts = Wholes(key).Distinct().ToArray();
        return counts is [> 0 and var one] ? one : throw Wrong(key, "the same positive whole number for all layers");
    }

    /// <summary>A whole number; null where the key is not there.</summary>
    public int? WholeOrNull(string key) =>
        !Has(key) ? null
        : Whole(entries[key]) is { } value ? value
        : throw Wrong(key, $"a whole number up to {int.MaxValue}");

    /// <summary>A number; of a 32-bit one the shortest decimal that means it, so that 1e-5 stays 1e-5.</summary>
    public double? NumberOrNull(string key) =>
        entries.GetValueOrDefault(key) switch
        {
            null => null,
            float value => double.Parse(value.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            double value => value,
            long value => value,
            ulong value => value,
            _ => throw Wrong(key, "a number"),
        };

    public IReadOnlyList<string> Texts(string key) =>
        entries.GetValueOrDefault(key) is not { } value ? throw Missing(key) : value as string[] ?? throw Wrong(key, "a list of texts");

    /// <summary>A list of whole numbers; null where the key is not there.</summary>
    public IReadOnlyList<int>? WholesOrNull(string key) => Has(key) ? Wholes(key) : null;

    /// <summary>A list of numbers; null where the key is not there.</summary>
    public IReadOnlyList<float>? NumbersOrNull(string key) =>
        !Has(key) ? null
        : entries[key] is float[] values ? values
        : [.. Wholes(key).Select(value => (float)value)];

    public InputException Wrong(string key, string wanted) => new($"{path}: metadata {key} is {Shown(entries[key])}, expected {wanted}.");

    public InputException Missing(string key) => new($"{path}: metadata {key} is missing; fetch or convert the file again.");

    private int[] Wholes(string key) =>
        entries[key] is Array list && list.Cast<object>().Select(Whole).ToArray() is var values && !values.Contains(null)
            ? [.. values.Select(value => value!.Value)]
            : throw Wrong(key, "a list of whole numbers");

    private static int? Whole(object value)
    {
        var whole = value switch
        {
            byte or sbyte or ushort or short or int or uint or long => Convert.ToInt64(value, CultureInfo.InvariantCulture),
            ulong number => number <= int.MaxValue ? (long)number : long.MaxValue,
            _ => long.MaxValue,
        };
        return whole is >= int.MinValue and <= int.MaxValue ? (int)whole : null;
    }

    private static string Shown(object value) =>
        value switch
        {
            string text => Quoting.Quote(text.Length <= 80 ? text : text[..80] + "…"),
            Array list => $"a list of {list.Length}",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
}
