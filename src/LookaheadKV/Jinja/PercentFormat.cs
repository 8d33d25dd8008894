using System.Globalization;
using System.Numerics;
using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>
/// Python's <c>format % values</c>:
/// <code>
/// item  = "%" ["(" name ")"] {"-" | "+" | " " | "0" | "#"} [width | "*"] ["." (digits | "*")] ("s" | "r" | "a" | "d" | "i" | "u" | "f" | "F" | "e" | "E" | "g" | "G" | "x" | "X" | "o" | "c" | "%")
/// </code>
/// </summary>
internal static class PercentFormat
{
    public static string Apply(Machine machine, string format, object? values)
    {
        var (written, at, next) = (new StringBuilder(), 0, 0);
        var tuple = values as TupleValue;
        var named = false;
        while (at < format.Length)
        {
            if (format[at] != '%')
            {
                written.Append(format[at++]);
                continue;
            }
            at++;
            object? value = Bound.Absent;
            if (at < format.Length && format[at] == '(')
            {
                var close = Closing(format, at);
                var name = format[(at + 1)..close];
                named = true;
                value = values is DictValue dict
                    ? dict.TryGet(name, out var found)
                        ? found
                        : throw new JinjaException($"the format names '{name}', which is not there")
                    : throw new JinjaException("the format needs a mapping");
                at = close + 1;
            }
            var flags = "";
            while (at < format.Length && "-+ 0#".Contains(format[at]))
                flags += format[at++];
            var width = Count(ref at);
            int? precision = null;
            if (at < format.Length && format[at] == '.')
            {
                at++;
                precision = Math.Max(0, Count(ref at) ?? 0);
            }
            while (at < format.Length && "hlL".Contains(format[at]))
                at++;
            if (at == format.Length)
                throw new JinjaException("incomplete format");
            var kind = format[at++];
            if (kind == '%')
            {
                written.Append('%');
                continue;
            }
            if (width < 0)
                (flags, width) = (flags + "-", -width);
            if (value == Bound.Absent)
                value = Next();
            written.Append(Item(machine, kind, value, flags, precision, Math.Min(width ?? 0, int.MaxValue)));
            machine.Fits(written.Length);
        }
        // A mapping may have more than is used; so may a list, which then is taken for one.
        if (!named && (tuple is not null ? next < tuple.Items.Count : next == 0 && values is not (DictValue or ListValue or RangeValue)))
            throw new JinjaException("not all arguments converted during string formatting");
        return machine.Made(written.ToString());

        object? Next()
        {
            if (tuple is null ? next > 0 : next >= tuple.Items.Count)
                throw new JinjaException("not enough arguments for format string");
            next++;
            return tuple is null ? values : tuple.Items[next - 1];
        }

        int? Count(ref int place)
        {
            if (place < format.Length && format[place] == '*')
            {
                place++;
                return Numbers.Integer(Next()) is { } given
                    ? (int)machine.Fits(BigInteger.Abs(given)) * given.Sign
                    : throw new JinjaException("* wants int");
            }
            var start = place;
            while (place < format.Length && char.IsAsciiDigit(format[place]))
                place++;
            return start == place ? null : (int)machine.Fits(BigInteger.Parse(format[start..place], CultureInfo.InvariantCulture));
        }
    }

    private static int Closing(string format, int at)
    {
        var open = 0;
        for (var i = at; i < format.Length; i++)
        {
            open +=
                format[i] == '(' ? 1
                : format[i] == ')' ? -1
                : 0;
            if (open == 0)
                return i;
        }
        throw new JinjaException("incomplete format key");
    }

    private static string Item(Machine machine, char kind, object? value, string flags, int? precision, int width)
    {
        var numeric = true;
        string text;
        switch (kind)
        {
            case 's' or 'r' or 'a':
                text =
                    kind == 's' ? Printing.Text(machine, value)
                    : kind == 'r' ? Printing.Represented(machine, value)
                    : Printing.Ascii(machine, value);
                text = precision is { } most ? text[..CodePoints.Offset(text, most)] : text;
                numeric = false;
                break;
            case 'c':
                text =
                    value is string one && CodePoints.Count(one) == 1 ? one
                    : Numbers.Integer(value) is { } code && code.Sign >= 0 && code < 0x110000 && code is var c && (c < 0xD800 || c > 0xDFFF)
                        ? char.ConvertFromUtf32((int)code)
                    : throw new JinjaException("%c requires int or char");
                numeric = false;
                break;
            case 'd' or 'i' or 'u':
                var whole =
                    Numbers.Integer(value)
                    ?? (
                        value is double number
                            ? Numbers.Truncated(number)
                            : throw new JinjaException($"%{kind} needs a number, not {Printing.TypeName(value)}")
                    );
                text = Padded(whole.ToString(CultureInfo.InvariantCulture), precision);
                break;
            case 'x' or 'X' or 'o':
                var integer =
                    Numbers.Integer(value) ?? throw new JinjaException($"%{kind} needs a whole number, not {Printing.TypeName(value)}");
                var prefix = flags.Contains('#') ? "0" + kind : "";
                var digits = Padded(NumberFormat.InBase(BigInteger.Abs(integer), kind == 'o' ? 8 : 16), precision);
                text = (integer.Sign < 0 ? "-" : "") + prefix + (kind == 'X' ? digits.ToUpperInvariant() : digits);
                break;
            case 'f' or 'F' or 'e' or 'E' or 'g' or 'G':
                text = NumberFormat.OfFloat(
                    Numbers.Float(value) ?? throw new JinjaException($"%{kind} needs a number, not {Printing.TypeName(value)}"),
                    kind,
                    precision ?? 6,
                    flags.Contains('#')
                );
                break;
            default:
                throw new JinjaException($"unsupported format character '{kind}'");
        }
        if (numeric && !text.StartsWith('-') && (flags.Contains('+') || flags.Contains(' ')))
            text = (flags.Contains('+') ? "+" : " ") + text;
        var room = width - CodePoints.Count(text);
        if (room <= 0)
            return text;
        machine.Fits(room);
        if (flags.Contains('-'))
            return text + new string(' ', room);
        if (!numeric || !flags.Contains('0'))
            return new string(' ', room) + text;
        var head = NumberFormat.HeadLength(text);
        return text[..head] + new string('0', room) + text[head..];
    }

    private static string Padded(string digits, int? precision) =>
        digits.StartsWith('-') ? "-" + digits[1..].PadLeft(precision ?? 0, '0') : digits.PadLeft(precision ?? 0, '0');
}
