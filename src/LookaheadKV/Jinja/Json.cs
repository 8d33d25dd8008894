using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace LookaheadKV.Jinja;

/// <summary>JSON to values and back; back as Python's <c>json.dumps</c> writes it.</summary>
internal static class Json
{
    /// <summary>The value of a JSON element: what Python's <c>json.loads</c> gives.</summary>
    public static object? Value(JsonElement element)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return element.ValueKind switch
        {
            JsonValueKind.String => Text(element),
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number => Number(element.GetRawText()),
            JsonValueKind.Array => new ListValue([.. element.EnumerateArray().Select(Value)]),
            JsonValueKind.Object => new DictValue(
                element.EnumerateObject().Select(static p => KeyValuePair.Create((object?)p.Name, Value(p.Value)))
            ),
            _ => null,
        };
    }

    private static string Text(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new JinjaException("a text that the template is given holds half of a surrogate pair");
        }
    }

    /// <summary>The value as JSON.</summary>
    /// <param name="machine">Counts the text.</param>
    /// <param name="value">The value.</param>
    /// <param name="style">How it is written.</param>
    public static string Written(Machine machine, object? value, JsonStyle style)
    {
        var written = new StringBuilder();
        Write(machine, written, value, style, "\n");
        return machine.Made(written.ToString());
    }

    private static void Write(Machine machine, StringBuilder written, object? value, JsonStyle style, string lineBreak)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        machine.Step();
        machine.Fits(written.Length);
        switch (value)
        {
            case SequenceValue and not RangeValue:
                var items = ((SequenceValue)value).Items;
                Nested("[", "]", items, item => Write(machine, written, item, style, lineBreak + style.Indent));
                break;
            case DictValue dict:
                var entries = style.SortKeys ? Sorting.By(machine, dict.Entries, static entry => entry.Key) : dict.Entries;
                Nested(
                    "{",
                    "}",
                    [.. entries],
                    entry =>
                    {
                        Quote(written, KeyText(entry.Key), style.Ascii);
                        written.Append(style.KeySeparator);
                        Write(machine, written, entry.Value, style, lineBreak + style.Indent);
                    }
                );
                break;
            case string text:
                Quote(written, text, style.Ascii);
                break;
            case Markup markup:
                Quote(written, markup.Text, style.Ascii);
                break;
            case null or bool or BigInteger or double:
                written.Append(KeyText(value));
                break;
            default:
                throw new JinjaException($"Object of type {Printing.TypeName(value)} is not JSON serializable");
        }

        void Nested<T>(string open, string close, IReadOnlyList<T> all, Action<T> write)
        {
            written.Append(open);
            for (var i = 0; i < all.Count; i++)
            {
                written.Append(i > 0 ? style.ItemSeparator : "").Append(style.Indent is null ? "" : lineBreak + style.Indent);
                write(all[i]);
            }
            written.Append(all.Count > 0 && style.Indent is not null ? lineBreak : "").Append(close);
        }
    }

    private static string KeyText(object? key) =>
        key switch
        {
            string text => text,
            Markup markup => markup.Text,
            null => "null",
            bool flag => flag ? "true" : "false",
            BigInteger integer => integer.ToString(CultureInfo.InvariantCulture),
            double number when double.IsNaN(number) => "NaN",
            double number when double.IsInfinity(number) => number > 0 ? "Infinity" : "-Infinity",
            double number => Numbers.Print(number),
            _ => throw new JinjaException($"keys must be str, int, float, bool or None, not {Printing.TypeName(key)}"),
        };

    private static void Quote(StringBuilder written, string text, bool ascii)
    {
        written.Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => written.Append("\\\""),
                '\\' => written.Append("\\\\"),
                '\n' => written.Append("\\n"),
                '\r' => written.Append("\\r"),
                '\t' => written.Append("\\t"),
                '\b' => written.Append("\\b"),
                '\f' => written.Append("\\f"),
                < ' ' => written.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                > '~' when ascii => written.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => written.Append(character),
            };
        }
        written.Append('"');
    }

    private static object Number(string text) =>
        text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
            ? double.Parse(text, CultureInfo.InvariantCulture)
            : Numbers.Checked(
                text.Length < 4300
                    ? BigInteger.Parse(text, CultureInfo.InvariantCulture)
                    : throw new JinjaException("a number of the JSON is too long")
            );
}

/// <summary>How JSON is written: the options of <c>json.dumps</c>.</summary>
/// <param name="Indent">What each level is indented by, on lines of their own; null: all on one line.</param>
/// <param name="ItemSeparator">Between items.</param>
/// <param name="KeySeparator">Between a key and its value.</param>
/// <param name="SortKeys">Whether keys are sorted.</param>
/// <param name="Ascii">Whether everything outside ASCII is escaped.</param>
internal sealed record JsonStyle(string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys, bool Ascii);
