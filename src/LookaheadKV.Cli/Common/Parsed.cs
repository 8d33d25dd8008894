using System.CommandLine;
using TorchSharp;

namespace LookaheadKV.Cli.Common;

/// <summary>Options whose text is read by the library's own parsers; what they refuse is a usage error.</summary>
internal static class Parsed
{
    /// <summary>An option read by <paramref name="parse"/>, which throws <see cref="InputException"/> on a wrong text.</summary>
    public static Option<T> Option<T>(string name, string description, Func<string, T> parse, string? fallback = null)
    {
        var option = new Option<T>(name)
        {
            Description = fallback is null ? description : $"{description} [default: {fallback}]",
            CustomParser = argument =>
            {
                try
                {
                    return parse(argument.Tokens[0].Value);
                }
                catch (InputException e)
                {
                    argument.AddError($"{name}: {e.Message}");
                    return default;
                }
            },
            Arity = ArgumentArity.ExactlyOne,
        };
        if (fallback is not null)
            option.DefaultValueFactory = _ => parse(fallback);
        return option;
    }

    /// <summary>A whole number of at least <paramref name="least"/>.</summary>
    public static Option<int> Count(string name, string description, int fallback, int least = 1) =>
        Option(
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
