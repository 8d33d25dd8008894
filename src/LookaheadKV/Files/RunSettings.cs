using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>What the result of a long run depends on, by name: kept beside its partial results, so that no other run goes on with them.</summary>
/// <param name="Values">Values by name; contents of files and models as fingerprints.</param>
public sealed record RunSettings(IReadOnlyDictionary<string, string> Values)
{
    /// <summary>No settings.</summary>
    public static RunSettings None { get; } = new(new SortedDictionary<string, string>(StringComparer.Ordinal));

    /// <summary>The same with some values set; null removes one.</summary>
    public RunSettings With(params IEnumerable<(string Name, string? Value)> values)
    {
        var all = new SortedDictionary<string, string>(Values.ToDictionary(), StringComparer.Ordinal);
        foreach (var (name, value) in values)
        {
            all.Remove(name);
            if (value is not null)
                all.Add(name, value);
        }
        return new(all);
    }

    /// <summary>In which values another run differs, such as <c>--seed 1 there, 2 now</c>; null where in none.</summary>
    /// <param name="now">Settings of the run that would go on.</param>
    public string? DifferenceTo(RunSettings now)
    {
        string[] differences =
        [
            .. Values
                .Keys.Union(now.Values.Keys)
                .Order(StringComparer.Ordinal)
                .Where(name => Of(name) != now.Of(name))
                .Select(name => $"{name} {Of(name) ?? "not given"} there, {now.Of(name) ?? "not given"} now"),
        ];
        return differences.Length == 0 ? null : string.Join("; ", differences);
    }

    /// <summary>As one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(Values);

    /// <summary>What <see cref="ToJson"/> wrote; null where it is none.</summary>
    public static RunSettings? OfJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(json) is { } values
                ? None.With(values.Select(entry => (entry.Key, (string?)entry.Value)))
                : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // no JSON, or half of a surrogate pair
        {
            return null;
        }
    }

    private string? Of(string name) => Values.GetValueOrDefault(name);
}
