using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>How values print: Python's <c>str</c> and <c>repr</c>, and the names of their types.</summary>
internal static class Printing
{
    /// <summary>The value as it is output.</summary>
    public static string Text(Machine machine, object? value) =>
        value switch
        {
            string text => text,
            Markup markup => markup.Text,
            Undefined => "",
            _ => machine.Made(Represented(machine, value)),
        };

    /// <summary>The value as it stands inside a list.</summary>
    public static string Represented(Machine machine, object? value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        machine.Step();
        return value switch
        {
            null => "None",
            Undefined => "Undefined",
            bool flag => flag ? "True" : "False",
            BigInteger integer => integer.ToString(CultureInfo.InvariantCulture),
            double number => Numbers.Print(number),
            string text => Quoted(text),
            Markup markup => $"Markup({Quoted(markup.Text)})",
            ListValue list => $"[{Listed(machine, list.Items)}]",
            TupleValue { Items.Count: 1 } tuple => $"({Represented(machine, tuple.Items[0])},)",
            TupleValue tuple => $"({Listed(machine, tuple.Items)})",
            RangeValue range => range.Text,
            DictValue dict => $"{{{Listed(machine, dict.Entries)}}}",
            DictView view => $"{view.Type}([{Listed(machine, view.Items)}])",
            NamespaceValue space => $"<Namespace {Attributes(machine, space)}>",
            MacroValue macro => $"<Macro {(macro.Name == "" ? "anonymous" : Quoted(macro.Name))}>",
            LoopValue loop => $"<LoopContext {loop.Index}/{loop.Length}>",
            _ => throw new JinjaException(
                $"printing a {TypeName(value)} is not supported; {(value is Generator ? "put |list or |join behind it" : "is it meant to be called?")}"
            ),
        };
    }

    /// <summary>The same with everything outside ASCII escaped.</summary>
    public static string Ascii(Machine machine, object? value) =>
        string.Concat(
            CodePoints
                .Of(Represented(machine, value))
                .Select(static point => char.IsAscii(point[0]) ? point : Escape(CodePoints.At(point, 0)))
        );

    /// <summary>Python's name for the value's type.</summary>
    public static string TypeName(object? value) =>
        value switch
        {
            null => "NoneType",
            Undefined => "Undefined",
            bool => "bool",
            BigInteger => "int",
            double => "float",
            string => "str",
            Markup => "Markup",
            ListValue => "list",
            TupleValue => "tuple",
            RangeValue => "range",
            DictValue => "dict",
            DictView view => view.Type,
            Generator generator => generator.Type,
            NamespaceValue => "Namespace",
            LoopValue => "LoopContext",
            MacroValue => "Macro",
            Callable => "function",
            _ => value.GetType().Name,
        };

    /// <summary>Python's literal of a string.</summary>
    public static string Quoted(string text)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        var written = new StringBuilder().Append(quote);
        foreach (var point in CodePoints.Of(text))
        {
            var code = CodePoints.At(point, 0);
            _ = code switch
            {
                '\\' => written.Append("\\\\"),
                '\n' => written.Append("\\n"),
                '\r' => written.Append("\\r"),
                '\t' => written.Append("\\t"),
                _ when code == quote => written.Append('\\').Append(quote),
                _ when IsPrintable(point) => written.Append(point),
                _ => written.Append(Escape(code)),
            };
        }
        return written.Append(quote).ToString();
    }

    private static string Escape(int code) =>
        code < 0x100 ? $"\\x{code:x2}"
        : code < 0x10000 ? $"\\u{code:x4}"
        : $"\\U{code:x8}";

    /// <summary>Whether Python writes the code point as it is.</summary>
    public static bool IsPrintable(string point) =>
        point == " "
        || CharUnicodeInfo.GetUnicodeCategory(point, 0)
            is not (
                UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.Surrogate
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.SpaceSeparator
            );

    // A namespace is the one value that can hold itself.
    private static string Attributes(Machine machine, NamespaceValue space)
    {
        if (space.IsPrinting)
            return "{...}";
        space.IsPrinting = true;
        var written = $"{{{Listed(machine, space.Attributes.Select(static a => KeyValuePair.Create((object?)a.Key, a.Value)))}}}";
        space.IsPrinting = false;
        return written;
    }

    private static string Listed(Machine machine, IEnumerable<object?> items) =>
        machine.Made(string.Join(", ", items.Select(item => Represented(machine, item))));

    private static string Listed(Machine machine, IEnumerable<KeyValuePair<object?, object?>> entries) =>
        machine.Made(string.Join(", ", entries.Select(e => $"{Represented(machine, e.Key)}: {Represented(machine, e.Value)}")));
}
