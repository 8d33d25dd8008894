using System.Globalization;

namespace LookaheadKV.Methods;

/// <summary>A number that a method has of its own, as it may stand in a policy's brackets.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Help">What it is, in a line.</param>
public abstract record Parameter(string Name, string Help)
{
    /// <summary>Its kind and range, in words that go on from "give".</summary>
    public abstract string Allowed { get; }

    /// <summary>What it is where nothing is given, as it would be written.</summary>
    public abstract string DefaultText { get; }

    /// <summary>Reads a value; null where it is not allowed.</summary>
    public abstract object? Read(string text);
}

/// <summary>A parameter whose values are of one type.</summary>
/// <param name="Name">Its name in brackets.</param>
/// <param name="Default">What it is where nothing is given.</param>
/// <param name="Help">What it is, in a line.</param>
public abstract record Parameter<T>(string Name, T Default, string Help) : Parameter(Name, Help)
{
    /// <inheritdoc/>
    public override string DefaultText => Convert.ToString(Default, CultureInfo.InvariantCulture)!;
}

/// <summary>A number of tokens.</summary>
/// <param name="Name">Its name in brackets.</param>
/// <param name="Default">What it is where nothing is given.</param>
/// <param name="Help">What it is, in a line.</param>
/// <param name="Least">The smallest that is allowed.</param>
public sealed record TokenCount(string Name, int Default, string Help, int Least = 1) : Parameter<int>(Name, Default, Help)
{
    /// <inheritdoc/>
    public override string Allowed => AllowedFrom(Least);

    /// <inheritdoc/>
    public override object? Read(string text) => Read(text, Least);

    internal static string AllowedFrom(int least) => $"a number of tokens, {least} or more";

    internal static int? Read(string text, int least) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= least ? count : null;
}

/// <summary>A seed; where nothing is given, the one of everything else that is drawn.</summary>
/// <param name="Name">Its name in brackets.</param>
/// <param name="Help">What it is, in a line.</param>
public sealed record SeedNumber(string Name, string Help) : Parameter<long?>(Name, null, Help)
{
    /// <inheritdoc/>
    public override string Allowed => "a whole number";

    /// <inheritdoc/>
    public override string DefaultText => "the run's";

    /// <inheritdoc/>
    public override object? Read(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed) ? seed : null;
}
