using System.Globalization;
using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>Python's <c>strftime</c> of a local time without a zone, in the C locale.</summary>
internal static class Strftime
{
    public static string Written(string format, DateTime time)
    {
        var written = new StringBuilder();
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                written.Append(format[at]);
                continue;
            }
            var bare = at + 1 < format.Length && format[at + 1] == '-';
            at += bare ? 2 : 1;
            if (at >= format.Length)
                throw new JinjaException("strftime_now: the format ends within a directive");
            var text = Directive(format[at], time);
            written.Append(
                bare
                    ? text.TrimStart('0', ' ') is { Length: > 0 } rest
                        ? rest
                        : "0"
                    : text
            );
        }
        return written.ToString();
    }

    private static string Directive(char letter, DateTime time)
    {
        var hour = (time.Hour + 11) % 12 + 1;
        return letter switch
        {
            'a' or 'A' or 'b' or 'B' or 'h' => Name(letter, time),
            'd' => Padded(time.Day, 2),
            'e' => Padded(time.Day, 2, ' '),
            'm' => Padded(time.Month, 2),
            'y' => Padded(time.Year % 100, 2),
            'Y' => time.Year.ToString(CultureInfo.InvariantCulture),
            'C' => Padded(time.Year / 100, 2),
            'H' => Padded(time.Hour, 2),
            'k' => Padded(time.Hour, 2, ' '),
            'I' => Padded(hour, 2),
            'l' => Padded(hour, 2, ' '),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'M' => Padded(time.Minute, 2),
            'S' => Padded(time.Second, 2),
            'f' => Padded((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6),
            'j' => Padded(time.DayOfYear, 3),
            'w' => Padded((int)time.DayOfWeek, 1),
            'u' => Padded(time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek, 1),
            'U' => Padded((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2),
            'W' => Padded((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7, 2),
            'V' => Padded(ISOWeek.GetWeekOfYear(time), 2),
            'G' => ISOWeek.GetYear(time).ToString(CultureInfo.InvariantCulture),
            'z' or 'Z' => "",
            'D' or 'x' => Written("%m/%d/%y", time),
            'F' => Written("%Y-%m-%d", time),
            'T' or 'X' => Written("%H:%M:%S", time),
            'R' => Written("%H:%M", time),
            'r' => Written("%I:%M:%S %p", time),
            'c' => Written("%a %b %e %H:%M:%S %Y", time),
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            _ => throw new JinjaException($"strftime_now: the directive %{letter} is not supported"),
        };
    }

    private static string Name(char letter, DateTime time) =>
        time.ToString(
            letter switch
            {
                'a' => "ddd",
                'A' => "dddd",
                'B' => "MMMM",
                _ => "MMM",
            },
            CultureInfo.InvariantCulture
        );

    private static string Padded(int number, int width, char fill = '0') =>
        number.ToString(CultureInfo.InvariantCulture).PadLeft(width, fill);
}
