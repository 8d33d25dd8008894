using System.Globalization;
using System.Numerics;
using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>
/// Python's <c>format.format(values)</c>:
/// <code>
/// field = "{" [name | number] {"." name | "[" key "]"} ["!" ("s" | "r" | "a")] [":" spec] "}"
/// spec  = [[fill] ("&lt;" | "&gt;" | "^" | "=")] ["+" | "-" | " "] ["#"] ["0"] [width] ["," | "_"] ["." digits] [type]
/// </code>
/// A spec may hold fields of its own.
/// </summary>
internal static class BraceFormat
{
    public static string Apply(Machine machine, string format, CallArguments arguments)
    {
        var automatic = 0;
        return machine.Made(Filled(machine, format, arguments, ref automatic, 2));
    }

    private static string Filled(Machine machine, string format, CallArguments arguments, ref int automatic, int depth)
    {
        if (depth == 0)
            throw new JinjaException("the format's fields are nested too deep");
        var written = new StringBuilder();
        for (var at = 0; at < format.Length; )
        {
            var character = format[at++];
            if (character is not ('{' or '}'))
            {
                written.Append(character);
                continue;
            }
            if (at < format.Length && format[at] == character)
            {
                written.Append(character);
                at++;
                continue;
            }
            if (character == '}')
                throw new JinjaException("single '}' encountered in format string");
            var (open, start) = (1, at);
            for (; at < format.Length && open > 0; at++)
                open +=
                    format[at] == '{' ? 1
                    : format[at] == '}' ? -1
                    : 0;
            if (open > 0)
                throw new JinjaException("single '{' encountered in format string");
            written.Append(Field(machine, format[start..(at - 1)], arguments, ref automatic, depth));
            machine.Fits(written.Length);
        }
        return written.ToString();
    }

    private static string Field(Machine machine, string field, CallArguments arguments, ref int automatic, int depth)
    {
        var split = field.IndexOfAny([':', '!']);
        var (name, spec, conversion) = (split < 0 ? field : field[..split], "", ' ');
        if (split >= 0 && field[split] == '!')
        {
            if (split + 1 == field.Length || (split + 2 < field.Length && field[split + 2] != ':'))
                throw new JinjaException("expected ':' after conversion specifier");
            conversion = field[split + 1];
            spec = split + 3 <= field.Length ? field[(split + 3)..] : "";
        }
        else if (split >= 0)
            spec = field[(split + 1)..];
        var value = Value(name, arguments, ref automatic);
        spec = Filled(machine, spec, arguments, ref automatic, depth - 1 == 0 && !spec.Contains('{') ? 1 : depth - 1);
        value = conversion switch
        {
            ' ' => value,
            's' => Printing.Text(machine, value),
            'r' => Printing.Represented(machine, value),
            'a' => Printing.Ascii(machine, value),
            _ => throw new JinjaException($"conversion '!{conversion}' is not supported"),
        };
        return FormatSpec.Apply(machine, value, spec);
    }

    private static object? Value(string name, CallArguments arguments, ref int automatic)
    {
        var end = name.IndexOfAny(['.', '[']);
        var first = end < 0 ? name : name[..end];
        object? value;
        if (first == "" || first.All(char.IsAsciiDigit))
        {
            if (first == "" ? automatic < 0 : automatic > 0)
                throw new JinjaException("fields are numbered both by hand and automatically");
            var place = first == "" ? automatic++ : BigInteger.Parse(first, CultureInfo.InvariantCulture);
            if (first != "")
                automatic = -1;
            value =
                place < arguments.Positional.Count
                    ? arguments.Positional[(int)place]
                    : throw new JinjaException($"there is no argument {place} for the format");
        }
        else
        {
            var named = arguments.Named.FirstOrDefault(pair => pair.Key == first);
            value = named.Key is null ? throw new JinjaException($"there is no argument '{first}' for the format") : named.Value;
        }
        for (var rest = end < 0 ? "" : name[end..]; rest != ""; )
        {
            if (rest[0] == '.')
            {
                end = rest.IndexOfAny(['.', '['], 1) is var stop and > 0 ? stop : rest.Length;
                value = Access.Attribute(value, rest[1..end]);
            }
            else
            {
                end = rest.IndexOf(']') is var stop and > 0 ? stop + 1 : throw new JinjaException("missing ']' in format string");
                var key = rest[1..(end - 1)];
                value = Access.Item(
                    value,
                    key.Length > 0 && key.All(char.IsAsciiDigit) ? BigInteger.Parse(key, CultureInfo.InvariantCulture) : key
                );
            }
            rest = rest[end..];
        }
        return value;
    }
}
