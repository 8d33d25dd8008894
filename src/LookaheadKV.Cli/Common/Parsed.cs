using TorchSharp;

namespace LookaheadKV.Cli.Common;

/// <summary>Readers of option values that the library does not have.</summary>
internal static class Parsed
{
    /// <summary>A whole number of at least <paramref name="least"/>.</summary>
    public static Setting<int> Count(string name, string description, int fallback, int least = 1) =>
        new(
            name,
            description,
            text =>
                int.TryParse(text, out var count) && count >= least
                    ? count
                    : throw new InputException($"\"{text}\" is not a whole number of {least} or more."),
            fallback.ToString()
        );

    /// <summary>The computing type: float32 or bfloat16.</summary>
    public static torch.ScalarType DType(string text) =>
        text switch
        {
            "float32" => torch.ScalarType.Float32,
            "bfloat16" => torch.ScalarType.BFloat16,
            _ => throw new InputException($"dtype \"{text}\" is not supported; use float32 or bfloat16."),
        };

    /// <summary>One of an enumeration's names, in lower case.</summary>
    public static T Name<T>(string text)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(name => name.ToLowerInvariant()).ToArray();
        return names.Contains(text)
            ? Enum.Parse<T>(text, ignoreCase: true)
            : throw new InputException($"\"{text}\" is not one of {string.Join(", ", names)}.");
    }

    /// <summary>A list separated by commas, none empty or twice.</summary>
    public static IReadOnlyList<T> List<T>(string text, Func<string, T> parse)
    {
        var parts = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0)
            throw new InputException("the list is empty; name at least one.");
        if (parts.GroupBy(part => part).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"\"{twice.Key}\" comes twice; name it once.");
        return [.. parts.Select(parse)];
    }
}
