using System.CommandLine;

namespace LookaheadKV.Cli.Common;

/// <summary>
/// An option whose text is read by the library's own parser; what that refuses is a usage error. The option itself holds the text, so
/// that the help shows defaults as one would type them.
/// </summary>
internal sealed class Setting<T> : Option<string?>
{
    private readonly Func<string, T> _read;

    /// <param name="name">The option, with its dashes.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="read">Reads the text, or throws <see cref="InputException"/>.</param>
    /// <param name="fallback">Text where the option is not given; null leaves the value null.</param>
    public Setting(string name, string description, Func<string, T> read, string? fallback = null)
        : base(name)
    {
        _read = read;
        Description = description;
        if (fallback is not null)
            DefaultValueFactory = _ => fallback;
        Validators.Add(result =>
        {
            try
            {
                if (result.GetValueOrDefault<string?>() is { } text)
                    read(text);
            }
            catch (InputException e)
            {
                result.AddError($"{name}: {e.Message}");
            }
        });
    }

    public T? Read(ParseResult arguments) => arguments.GetValue(this) is { } text ? _read(text) : default;
}
