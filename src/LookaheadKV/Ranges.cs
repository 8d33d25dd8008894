using System.Globalization;
using System.Numerics;

namespace LookaheadKV;

/// <summary>
/// Ranges of what callers give. Records hold their members to them wherever one is set, so that neither a constructor nor a <c>with</c> goes past.
/// </summary>
internal static class Ranges
{
    /// <summary>The value, if it is at least that much.</summary>
    /// <param name="value">What was given.</param>
    /// <param name="least">The smallest that is allowed.</param>
    /// <param name="name">What it is, as the message begins.</param>
    /// <param name="advice">What is usual, or what to do; the message ends with it.</param>
    /// <exception cref="InputException">It is less, or not a number.</exception>
    public static T AtLeast<T>(this T value, T least, string name, string advice)
        where T : INumber<T> =>
        value >= least && T.IsFinite(value) ? value : throw new InputException($"{name} {Text(value)} is below {Text(least)}; {advice}.");

    /// <summary>The value, if it is there and at least that much.</summary>
    /// <inheritdoc cref="AtLeast{T}(T, T, string, string)"/>
    public static T? AtLeast<T>(this T? value, T least, string name, string advice)
        where T : struct, INumber<T> => value is { } given ? given.AtLeast(least, name, advice) : null;

    /// <summary>The value, if it is a number above 0.</summary>
    /// <param name="value">What was given.</param>
    /// <param name="name">What it is, as the message begins.</param>
    /// <param name="advice">What is usual, or what to do; the message ends with it.</param>
    /// <exception cref="InputException">It is not.</exception>
    public static double AboveZero(this double value, string name, string advice) =>
        value > 0 && double.IsFinite(value) ? value : throw new InputException($"{name} {Text(value)} is not a number above 0; {advice}.");

    /// <summary>The value, if it is there and a number above 0.</summary>
    /// <inheritdoc cref="AboveZero(double, string, string)"/>
    public static double? AboveZero(this double? value, string name, string advice) =>
        value is { } given ? given.AboveZero(name, advice) : null;

    /// <summary>The value, if it is within a range, both ends included.</summary>
    /// <param name="value">What was given.</param>
    /// <param name="least">The smallest that is allowed.</param>
    /// <param name="most">The largest.</param>
    /// <param name="name">What it is, as the message begins.</param>
    /// <param name="advice">What is usual, or what to do; the message ends with it.</param>
    /// <exception cref="InputException">It is not.</exception>
    public static T Within<T>(this T value, T least, T most, string name, string advice)
        where T : INumber<T> =>
        value >= least && value <= most
            ? value
            : throw new InputException($"{name} {Text(value)} is outside {Text(least)}..{Text(most)}; {advice}.");

    private static string Text<T>(T value)
        where T : INumber<T> => value.ToString(null, CultureInfo.InvariantCulture);
}
