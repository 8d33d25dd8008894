using System.Globalization;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using TorchSharp;

namespace LookaheadKV.Cli.Common;

/// <summary>Readers of option values that the library does not have.</summary>
internal static class Parsed
{
    /// <summary>A whole number of at least <paramref name="least"/>, and at most <paramref name="most"/>.</summary>
    public static Setting<int> Count(string name, string description, int fallback, int least = 1, int most = int.MaxValue) =>
        new(name, description, text => Count(text, least, most), fallback.ToString());

    /// <summary>A whole number of at least 1; null where the option is not given.</summary>
    public static Setting<int?> CountIfGiven(string name, string description) => new(name, description, text => Count(text, 1));

    /// <summary>A number above 0, or of 0 or more; null where the option is not given and has no default.</summary>
    public static Setting<double?> Number(string name, string description, string? fallback = null, bool orZero = false) =>
        new(
            name,
            description,
            text =>
                double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                && double.IsFinite(number)
                && (number > 0 || (orZero && number == 0))
                    ? number
                    : throw new InputException($"\"{text}\" is not a number {(orZero ? "of 0 or more" : "above 0")}."),
            fallback
        );

    /// <summary>How long a training may take before it stops, to be resumed.</summary>
    public static Setting<double?> Minutes() => Number("--minutes", "Minutes this piece may take; the next call goes on from there.");

    /// <summary>The name of a device, which need not be there.</summary>
    public static Setting<string> Device(string what = "") =>
        new(
            "--device",
            $"{what}cpu, cuda or cuda:N [default: cuda where there is one].",
            name =>
            {
                Devices.Index(name);
                return name;
            }
        );

    /// <summary>The name of a known shape.</summary>
    public static string Shape(string name)
    {
        ModelShapes.Find(name);
        return name;
    }

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

    private static int Count(string text, int least, int most = int.MaxValue) =>
        int.TryParse(text, out var count) && count >= least && count <= most
            ? count
            : throw new InputException($"\"{text}\" is not a whole number of {least} {(most == int.MaxValue ? "or more" : $"to {most}")}.");
}
