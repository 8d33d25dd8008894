using System.Globalization;
using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>What both of Python's ways to format share about numbers.</summary>
internal static class NumberFormat
{
    /// <summary>A floating-point number as the letter says.</summary>
    /// <param name="value">The number.</param>
    /// <param name="kind">f, F, e, E, g or G.</param>
    /// <param name="precision">Digits.</param>
    /// <param name="alternate">Whether there is always a point, and zeros stay: #.</param>
    public static string OfFloat(double value, char kind, int precision, bool alternate)
    {
        var text =
            !double.IsFinite(value) ? Numbers.Print(value)
            : kind is 'f' or 'F' ? Rounding.Fixed(value, precision)
            : kind is 'e' or 'E' ? Rounding.Exponent(value, precision)
            : Rounding.General(value, precision, alternate);
        if (alternate && double.IsFinite(value) && !text.Contains('.'))
            text = text.Contains('e') ? text.Insert(text.IndexOf('e'), ".") : text + ".";
        return char.IsUpper(kind) ? text.ToUpperInvariant() : text;
    }

    /// <summary>The digits of a whole number that is not negative, in lower case.</summary>
    public static string InBase(BigInteger value, int numberBase)
    {
        if (value.IsZero)
            return "0";
        if (numberBase == 10)
            return value.ToString(CultureInfo.InvariantCulture);
        var digits = new List<char>();
        for (; !value.IsZero; value /= numberBase)
            digits.Add("0123456789abcdef"[(int)(value % numberBase)]);
        digits.Reverse();
        return new string([.. digits]);
    }

    /// <summary>How many characters of a formatted number stand before zeros that fill it up: its sign and prefix.</summary>
    public static int HeadLength(string text)
    {
        var sign = text is ['+' or '-' or ' ', ..] ? 1 : 0;
        return sign + (text.Length > sign + 1 && text[sign] == '0' && text[sign + 1] is ('x' or 'X' or 'o' or 'b' or 'B') ? 2 : 0);
    }
}
