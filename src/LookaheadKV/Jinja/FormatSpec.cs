using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace LookaheadKV.Jinja;

/// <summary>Formats one value by the spec behind a field's colon (see <see cref="BraceFormat"/>).</summary>
internal static partial class FormatSpec
{
    public static string Apply(Machine machine, object? value, string spec)
    {
        if (spec == "")
            return Printing.Text(machine, value);
        if (value is not (string or bool or BigInteger or double))
            throw new JinjaException($"a {Printing.TypeName(value)} takes no format spec");
        var parts = Pattern().Match(spec);
        if (!parts.Success)
            throw new JinjaException($"format spec '{spec}' is not supported");
        var numeric = value is not string;
        var kind = parts.Groups["type"].Value;
        var precision = Count(parts.Groups["precision"].Value);
        var width = Count(parts.Groups["width"].Value) ?? 0;
        var zero = parts.Groups["zero"].Success;
        var align =
            parts.Groups["align"].Success ? parts.Groups["align"].Value
            : zero && numeric ? "="
            : zero ? "<"
            : numeric ? ">"
            : "<";
        var fill =
            parts.Groups["fill"].Success && parts.Groups["fill"].Value != "" ? parts.Groups["fill"].Value
            : zero ? "0"
            : " ";
        var (sign, group) = (parts.Groups["sign"].Value, parts.Groups["group"].Value);
        string text;
        if (value is string plain)
        {
            if (kind is not ("" or "s") || sign != "" || group != "" || align == "=" || parts.Groups["alternate"].Success)
                throw new JinjaException($"format spec '{spec}' does not go with a string");
            text = precision is { } most ? plain[..CodePoints.Offset(plain, most)] : plain;
        }
        else
        {
            text = Number(value, kind, precision, parts.Groups["alternate"].Success, spec);
            if (sign is "+" or " " && !text.StartsWith('-'))
                text = sign + text;
            if (group != "" && kind is not ("" or "d" or "f" or "F" or "e" or "E" or "g" or "G" or "%"))
                throw new JinjaException($"format spec '{spec}' is not supported");
            if (group != "")
                text = Grouped(text, group, align == "=" && fill == "0" ? width : 0);
        }
        var room = width - CodePoints.Count(text);
        if (room <= 0)
            return text;
        machine.Fits((BigInteger)room * fill.Length);
        var head = align == "=" ? NumberFormat.HeadLength(text) : 0;
        var left = align switch
        {
            "<" => 0,
            "^" => room / 2,
            _ => room,
        };
        return text[..head]
            + string.Concat(Enumerable.Repeat(fill, left))
            + text[head..]
            + string.Concat(Enumerable.Repeat(fill, room - left));
    }

    private static string Number(object? value, string kind, int? precision, bool alternate, string spec)
    {
        var integer = value is double ? null : Numbers.Integer(value);
        switch (kind)
        {
            case "" when value is bool:
                throw new JinjaException("format specs of booleans are not supported");
            case "" or "d" or "x" or "X" or "o" or "b" when integer is { } whole && precision is null:
                var digits = NumberFormat.InBase(
                    BigInteger.Abs(whole),
                    kind switch
                    {
                        "x" or "X" => 16,
                        "o" => 8,
                        "b" => 2,
                        _ => 10,
                    }
                );
                var prefix = alternate && kind is not ("" or "d") ? "0" + kind : "";
                return (whole.Sign < 0 ? "-" : "") + prefix + (kind == "X" ? digits.ToUpperInvariant() : digits);
            case "f" or "F" or "e" or "E" or "g" or "G":
                return NumberFormat.OfFloat(Numbers.Float(value)!.Value, kind[0], precision ?? 6, alternate);
            case "%":
                var share = Numbers.Float(value)!.Value * 100;
                return NumberFormat.OfFloat(share, 'f', precision ?? 6, alternate) + "%";
            case "" when value is double number && precision is null && !alternate:
                return Numbers.Print(number);
            default:
                throw new JinjaException($"format spec '{spec}' for {Printing.TypeName(value)} is not supported");
        }
    }

    private static string Grouped(string text, string separator, int width)
    {
        var start = text is ['+' or '-' or ' ', ..] ? 1 : 0;
        var end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        var (digits, tail) = (text[start..end], text[end..]);
        string grouped;
        while (true)
        {
            grouped = string.Join(separator, digits.Reverse().Chunk(3).Select(static chunk => new string([.. chunk.Reverse()])).Reverse());
            // Zeros that fill the number up are grouped with it.
            if (start + grouped.Length + tail.Length >= width)
                return text[..start] + grouped + tail;
            digits = "0" + digits;
        }
    }

    private static int? Count(string digits) =>
        digits == "" ? null
        : digits.Length < 7 ? int.Parse(digits, CultureInfo.InvariantCulture)
        : throw new JinjaException("the format asks for too many characters");

    [GeneratedRegex(
        @"\A(?:(?<fill>(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[\s\S])?)(?<align>[<>^=]))?(?<sign>[-+ ]?)(?<alternate>\#)?(?<zero>0)?(?<width>[0-9]*)(?<group>[,_]?)(?:\.(?<precision>[0-9]+))?(?<type>[a-zA-Z%]?)\z",
        RegexOptions.ExplicitCapture
    )]
    private static partial Regex Pattern();
}
