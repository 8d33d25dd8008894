using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace LookaheadKV.Jinja;

/// <summary>Filters of text.</summary>
internal static partial class TextFilters
{
    public static Dictionary<string, Filter> All { get; } =
        new()
        {
            ["upper"] = new(Signature.Empty, static (m, v, _) => m.Made(Cases.Upper(Plain(m, v)))),
            ["lower"] = new(Signature.Empty, static (m, v, _) => m.Made(Cases.Lower(Plain(m, v)))),
            ["capitalize"] = new(Signature.Empty, static (m, v, _) => m.Made(Cases.Capitalize(Plain(m, v)))),
            ["title"] = new(Signature.Empty, static (m, v, _) => m.Made(Titled(Plain(m, v)))),
            ["trim"] = new(Signature.Of("? chars"), static (m, v, a) => TextFunctions.Strip(Plain(m, v), a.TextOrNone(0), true, true)),
            ["replace"] = new(Signature.Of("old new ? count"), static (m, v, a) => Replaced(m, v, a)),
            ["indent"] = new(Signature.Of("? width first blank"), static (m, v, a) => Indented(m, v, a)),
            ["center"] = new(Signature.Of("? width"), static (m, v, a) => Centered(m, Plain(m, v), a.Integer(0, 80))),
            ["truncate"] = new(Signature.Of("? length killwords end leeway"), static (m, v, a) => Truncated(m, v, a)),
            ["wordcount"] = new(Signature.Empty, static (m, v, _) => (BigInteger)WordCount(Plain(m, v))),
            ["format"] = new(Signature.Any, static (m, v, a) => Formatted(m, Plain(m, v), a.All)),
            ["string"] = new(Signature.Empty, static (m, v, _) => v is Markup ? v : Printing.Text(m, v)),
            ["safe"] = new(Signature.Empty, static (m, v, _) => new Markup(Printing.Text(m, v))),
            ["escape"] = new(Signature.Empty, static (m, v, _) => Escaped(m, v)),
            ["e"] = new(Signature.Empty, static (m, v, _) => Escaped(m, v)),
            ["forceescape"] = new(Signature.Empty, static (m, v, _) => Escaped(m, Printing.Text(m, v))),
            ["urlencode"] = new(Signature.Empty, static (m, v, _) => UrlEncoded(m, v)),
        };

    /// <summary>The value as text. What is marked as safe would stay so in Python, which no prompt needs.</summary>
    private static string Plain(Machine machine, object? value) =>
        value is Markup ? throw new JinjaException("this filter on escaped or safe text is not supported") : Printing.Text(machine, value);

    private static string Replaced(Machine machine, object? value, Bound a) =>
        TextFunctions.Replace(
            machine,
            Printing.Text(machine, value),
            Printing.Text(machine, a[0]),
            Printing.Text(machine, a[1]),
            a.Or(2, null) is null ? -1 : a.Integer(2)
        );

    private static string Titled(string text) =>
        string.Concat(
            WordBeginnings()
                .Split(text)
                .Select(static part => Cases.Upper(part[..CodePoints.Offset(part, 1)]) + Cases.Lower(part[CodePoints.Offset(part, 1)..]))
        );

    private static string Indented(Machine machine, object? value, Bound a)
    {
        var text = value switch
        {
            string plain => plain,
            Markup => throw new JinjaException("indent of escaped text is not supported"),
            Undefined undefined => throw new JinjaException(undefined.Reason),
            _ => throw new JinjaException($"indent takes a string, not {Printing.TypeName(value)}"),
        };
        var indent = a.Or(0, null) is string given ? given : new string(' ', machine.Fits(Math.Max(0, a.Integer(0, 4))));
        var lines = Blank.Lines(text + "\n");
        machine.Fits((BigInteger)lines.Count * indent.Length + text.Length);
        var written = string.Join('\n', lines.Select((line, i) => i > 0 && (line != "" || a.Flag(2)) ? indent + line : line));
        return machine.Made(a.Flag(1) ? indent + written : written);
    }

    private static string Centered(Machine machine, string text, int width) =>
        TextFunctions.Padded(machine, text, width, " ", room => room / 2 + (room & width & 1));

    private static object? Truncated(Machine machine, object? value, Bound a)
    {
        var (length, end, leeway) = (a.Integer(0, 255), a.Text(2, "..."), a.Or(3, null) is null ? 5 : a.Integer(3));
        var ending = CodePoints.Count(end);
        if (length < ending)
            throw new JinjaException($"expected length >= {ending}, got {length}");
        if (leeway < 0)
            throw new JinjaException($"expected leeway >= 0, got {leeway}");
        if (Truth.Length(value) <= (long)length + leeway)
            return value;
        if (value is not string text)
            throw new JinjaException($"truncate of {Printing.TypeName(value)} is not supported");
        var kept = text[..CodePoints.Offset(text, length - ending)];
        var space = a.Flag(1) ? -1 : kept.LastIndexOf(' ');
        return machine.Made((space < 0 ? kept : kept[..space]) + end);
    }

    private static int WordCount(string text)
    {
        var (count, inWord) = (0, false);
        foreach (var rune in CodePoints.Runes(text))
        {
            var isWord = rune.Value == '_' || Rune.IsLetter(rune) || Rune.GetNumericValue(rune) >= 0;
            count += isWord && !inWord ? 1 : 0;
            inWord = isWord;
        }
        return count;
    }

    private static string Formatted(Machine machine, string format, CallArguments arguments) =>
        arguments.Positional.Count > 0 && arguments.Named.Count > 0
            ? throw new JinjaException("format takes positional or named arguments, not both")
            : PercentFormat.Apply(
                machine,
                format,
                arguments.Named.Count > 0
                    ? new DictValue(arguments.Named.Select(static named => KeyValuePair.Create((object?)named.Key, named.Value)))
                    : new TupleValue(arguments.Positional)
            );

    private static Markup Escaped(Machine machine, object? value) =>
        value as Markup ?? new Markup(machine.Made(Html.Escaped(Printing.Text(machine, value))));

    private static string UrlEncoded(Machine machine, object? value)
    {
        if (value is string or Markup || !Iteration.IsIterable(value))
            return machine.Made(Quoted(Printing.Text(machine, value), "/"));
        var pairs = value is DictValue dict ? CollectionMethods.Pairs(dict) : Iteration.Over(machine, value);
        return machine.Made(
            string.Join(
                '&',
                pairs.Select(pair =>
                    Iteration.Listed(machine, pair) is [var key, var item]
                        ? $"{Query(Printing.Text(machine, key))}={Query(Printing.Text(machine, item))}"
                        : throw new JinjaException("urlencode takes pairs")
                )
            )
        );

        static string Query(string text) => Quoted(text, "").Replace("%20", "+");
    }

    private static string Quoted(string text, string safe)
    {
        var written = new StringBuilder();
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)value) || "_.-~".Contains((char)value) || safe.Contains((char)value))
                written.Append((char)value);
            else
                written.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
        }
        return written.ToString();
    }

    [GeneratedRegex(@"([-\s\x1C-\x1F({\[<]+)")]
    private static partial Regex WordBeginnings();
}
