using System.Globalization;
using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Floating-point numbers with a given number of digits, rounded from their exact value, ties to even, as Python does.</summary>
internal static class Rounding
{
    private const int MaxPrecision = 400;

    /// <summary>The number with this many digits behind the point: <c>%f</c>.</summary>
    public static string Fixed(double value, int precision)
    {
        var digits = Scaled(Math.Abs(value), Checked(precision)).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        var point = digits.Length - precision;
        return Sign(value) + digits[..point] + (precision > 0 ? "." + digits[point..] : "");
    }

    /// <summary>One digit, the point, this many digits and an exponent: <c>%e</c>.</summary>
    public static string Exponent(double value, int precision)
    {
        var (digits, exponent) = Significant(value, Checked(precision) + 1);
        return Sign(value) + digits[..1] + (precision > 0 ? "." + digits[1..] : "") + Tail(exponent);
    }

    /// <summary>This many significant digits, written as Fixed or Exponent, whichever suits: <c>%g</c>.</summary>
    /// <param name="value">The number.</param>
    /// <param name="precision">Significant digits; 0 counts as 1.</param>
    /// <param name="keepZeros">Whether zeros at the end stay.</param>
    public static string General(double value, int precision, bool keepZeros)
    {
        precision = Math.Max(1, Checked(precision));
        var (digits, exponent) = Significant(value, precision);
        if (exponent < -4 || exponent >= precision)
        {
            var fraction = keepZeros ? digits[1..] : digits[1..].TrimEnd('0');
            return Sign(value) + digits[..1] + (fraction.Length > 0 ? "." + fraction : "") + Tail(exponent);
        }
        var text = Fixed(Math.Abs(value), Math.Max(0, precision - 1 - exponent));
        return Sign(value) + (keepZeros || !text.Contains('.') ? text : text.TrimEnd('0').TrimEnd('.'));
    }

    /// <summary>Python's <c>round</c>: the nearest number with this many decimals.</summary>
    public static double Round(double value, int decimals)
    {
        if (!double.IsFinite(value) || decimals > 330)
            return value;
        if (decimals < -310)
            return Math.CopySign(0, value);
        var scaled = Scaled(Math.Abs(value), decimals);
        var nearest = double.Parse($"{scaled}E{-decimals}", CultureInfo.InvariantCulture);
        return Math.CopySign(nearest, value);
    }

    /// <summary>The whole number nearest to value · 10^decimals, ties to even.</summary>
    private static BigInteger Scaled(double value, int decimals)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)((bits >> 52) & 0x7FF);
        var mantissa = bits & 0xF_FFFF_FFFF_FFFF;
        BigInteger numerator = exponent == 0 ? mantissa : mantissa | (1L << 52);
        var denominator = BigInteger.One;
        var shift = Math.Max(exponent, 1) - 1075;
        if (shift >= 0)
            numerator <<= shift;
        else
            denominator <<= -shift;
        if (decimals >= 0)
            numerator *= BigInteger.Pow(10, decimals);
        else
            denominator *= BigInteger.Pow(10, -decimals);
        return NearestEven(numerator, denominator);
    }

    /// <summary>The whole number nearest to a ratio of two that are not negative, ties to even.</summary>
    public static BigInteger NearestEven(BigInteger numerator, BigInteger denominator)
    {
        var quotient = BigInteger.DivRem(numerator, denominator, out var rest);
        var half = (rest << 1).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static (string Digits, int Exponent) Significant(double value, int count)
    {
        value = Math.Abs(value);
        if (value == 0)
            return (new string('0', count), 0);
        var exponent = (int)Math.Floor(Math.Log10(value)) + 1; // at most one too many
        while (true)
        {
            var digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length >= count)
                return digits.Length == count ? (digits, exponent) : (digits[..count], exponent + 1);
            exponent--;
        }
    }

    private static int Checked(int precision) =>
        precision is >= 0 and <= MaxPrecision
            ? precision
            : throw new JinjaException($"{precision} digits are asked for; this evaluator gives up to {MaxPrecision}");

    private static string Sign(double value) => double.IsNegative(value) ? "-" : "";

    private static string Tail(int exponent) => $"e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent):00}";
}
