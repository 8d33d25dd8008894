using System.Globalization;
using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Python's whole and floating-point numbers: how they are told apart, read and printed.</summary>
internal static class Numbers
{
    // Python itself prints no longer ones.
    private const int MaxBits = 14_000;

    /// <summary>The value as a whole number (True is 1), or null if it is none.</summary>
    public static BigInteger? Integer(object? value) =>
        value switch
        {
            BigInteger integer => integer,
            bool flag => flag ? BigInteger.One : BigInteger.Zero,
            _ => null,
        };

    /// <summary>The value as a floating-point number, or null if it is no number.</summary>
    public static double? Float(object? value) =>
        value is double number ? number
        : Integer(value) is { } integer ? ToFloat(integer)
        : null;

    public static bool IsNumber(object? value) => value is BigInteger or bool or double;

    /// <summary>The nearest floating-point number, ties to even.</summary>
    public static double ToFloat(BigInteger value)
    {
        if (BigInteger.Abs(value) <= 1L << 53)
            return (double)value;
        var nearest = double.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return double.IsFinite(nearest) ? nearest : throw new JinjaException("the whole number is too large for a floating-point number");
    }

    /// <summary>The floating-point number nearest to a ratio, ties to even.</summary>
    public static double Ratio(BigInteger numerator, BigInteger denominator)
    {
        // So many bits of the quotient that rounding them once more changes nothing, and whether anything follows.
        var shift = (int)(denominator.GetBitLength() - numerator.GetBitLength()) + 60;
        var (above, below) = (BigInteger.Abs(numerator) << Math.Max(0, shift), BigInteger.Abs(denominator) << Math.Max(0, -shift));
        var quotient = BigInteger.DivRem(above, below, out var rest) | (rest.IsZero ? 0 : 1);
        var nearest = Math.ScaleB((double)(ulong)quotient, -shift);
        return double.IsFinite(nearest)
            ? (numerator.Sign < 0 != denominator.Sign < 0 ? -nearest : nearest)
            : throw new JinjaException("the ratio is too large");
    }

    /// <summary>The number, if it is one that can be printed.</summary>
    public static BigInteger Checked(BigInteger value) =>
        value.GetBitLength() <= MaxBits ? value : throw new JinjaException("the whole number has more digits than this evaluator keeps");

    /// <summary>The whole part of a floating-point number.</summary>
    public static BigInteger Truncated(double value) =>
        double.IsFinite(value)
            ? new BigInteger(Math.Truncate(value))
            : throw new JinjaException("infinity and not-a-number have no whole part");

    /// <summary>Python's <c>int(text, base)</c>: space around it, a sign, a prefix of base 0, 2, 8 or 16, single underscores between digits.</summary>
    public static BigInteger? ParseInteger(string text, int numberBase = 10)
    {
        text = Blank.Strip(text);
        var negative = text.StartsWith('-');
        if (negative || text.StartsWith('+'))
            text = text[1..];
        var prefix =
            text.Length > 1 && text[0] == '0'
                ? char.ToLowerInvariant(text[1]) switch
                {
                    'b' => 2,
                    'o' => 8,
                    'x' => 16,
                    _ => 0,
                }
                : 0;
        if (prefix != 0 && (numberBase == prefix || numberBase == 0))
        {
            text = text[2..];
            if (text.StartsWith('_'))
                text = text[1..];
            numberBase = prefix;
        }
        else if (numberBase == 0)
        {
            if (text.Length > 1 && text[0] == '0' && text.Any(static c => c is not ('0' or '_')))
                return null;
            numberBase = 10;
        }
        if (text.Length == 0 || text.Length > MaxBits / 3 || text[0] == '_' || text[^1] == '_' || text.Contains("__"))
            return null;
        var value = BigInteger.Zero;
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == '_')
                continue;
            var digit = Digit(rune);
            if (digit < 0 || digit >= numberBase)
                return null;
            value = value * numberBase + digit;
        }
        return negative ? -value : value;
    }

    /// <summary>Python's <c>float(text)</c>, or null if it is none.</summary>
    public static double? ParseFloat(string text)
    {
        text = Blank.Strip(text);
        if (text.Contains("__") || text.StartsWith('_') || text.EndsWith('_'))
            return null;
        for (var at = text.IndexOf('_'); at >= 0; at = text.IndexOf('_', at + 1))
        {
            if (!char.IsAsciiDigit(text[at - 1]) || !char.IsAsciiDigit(text[at + 1]))
                return null;
        }
        text = text.Replace("_", "");
        switch (text.TrimStart('+', '-').ToLowerInvariant())
        {
            case "inf" or "infinity" when text.Length - text.TrimStart('+', '-').Length < 2:
                return text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            case "nan" when text.Length < 5:
                return double.NaN;
        }
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return text.Any(static c => c is not (>= '0' and <= '9' or '.' or 'e' or 'E' or '+' or '-')) ? null
            : double.TryParse(text, Style, CultureInfo.InvariantCulture, out var value) ? value
            : null;
    }

    /// <summary>The shortest digits that give the number back, as Python writes them.</summary>
    public static string Print(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan"
                : value > 0 ? "inf"
                : "-inf";
        var sign = double.IsNegative(value) ? "-" : "";
        var written = Math.Abs(value).ToString("E16", CultureInfo.InvariantCulture);
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var exponent = value == 0 ? 0 : int.Parse(written[(written.IndexOf('E') + 1)..], CultureInfo.InvariantCulture);
        var digits = new string([.. shortest.TakeWhile(static c => c != 'E').Where(char.IsAsciiDigit)]).TrimStart('0').TrimEnd('0');
        if (digits == "")
            return sign + "0.0";
        // E16 may have rounded up to the next power of ten, which the shortest digits never do.
        if (shortest.IndexOf('E') is > 0 and var at)
            exponent = int.Parse(shortest[(at + 1)..], CultureInfo.InvariantCulture);
        else if (shortest.IndexOf('.') is var point && shortest[0] != '0')
            exponent = (point < 0 ? shortest.Length : point) - 1;
        if (exponent is < -4 or >= 16)
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent):00}";
        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        digits = digits.PadRight(exponent + 1, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{(digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0")}";
    }

    private static int Digit(System.Text.Rune rune) =>
        rune.Value is >= 'a' and <= 'z' ? rune.Value - 'a' + 10
        : rune.Value is >= 'A' and <= 'Z' ? rune.Value - 'A' + 10
        : System.Text.Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber ? (int)System.Text.Rune.GetNumericValue(rune)
        : -1;
}
