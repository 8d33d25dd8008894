using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Filters of single values: numbers, defaults, attributes, JSON.</summary>
internal static class ValueFilters
{
    public static Dictionary<string, Filter> All { get; } =
        new()
        {
            ["abs"] = new(Signature.Empty, static (_, v, _) => Absolute(v)),
            ["int"] = new(Signature.Of("? default base"), static (_, v, a) => Integer(v, a)),
            ["float"] = new(Signature.Of("? default"), static (_, v, a) => Float(v, a)),
            ["round"] = new(Signature.Of("? precision method"), static (m, v, a) => Rounded(m, v, a)),
            ["default"] = new(Signature.Of("? default_value boolean"), static (_, v, a) => Default(v, a)),
            ["d"] = new(Signature.Of("? default_value boolean"), static (_, v, a) => Default(v, a)),
            ["attr"] = new(Signature.Of("name"), static (_, v, a) => Attribute(v, a.Text(0))),
            ["tojson"] = new(
                Signature.Of("? ensure_ascii indent separators sort_keys"),
                static (m, v, a) => Json.Written(m, v, Style(m, a))
            ),
        };

    private static object Absolute(object? value) =>
        Numbers.Integer(value) is { } integer ? BigInteger.Abs(integer)
        : value is double number ? Math.Abs(number)
        : throw new JinjaException($"abs takes a number, not {Printing.TypeName(value)}");

    private static object? Integer(object? value, Bound a)
    {
        if (value is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        var otherwise = a.Or(0, BigInteger.Zero);
        var numberBase = a.Integer(1, 10);
        if (numberBase is not (0 or (>= 2 and <= 36)))
            return value is string ? otherwise : throw new JinjaException("int() base must be >= 2 and <= 36, or 0");
        return Numbers.Integer(value) is { } integer ? integer
            : value is double number
                ? double.IsNaN(number) ? otherwise
                    : Numbers.Truncated(number)
            : value is not string text ? otherwise
            : Numbers.ParseInteger(text, numberBase) is { } parsed ? parsed
            : Numbers.ParseFloat(text) is { } real && double.IsFinite(real) ? Numbers.Truncated(real)
            : otherwise;
    }

    private static object? Float(object? value, Bound a) =>
        value is Undefined undefined ? throw new JinjaException(undefined.Reason)
        : Numbers.Float(value) is { } number ? number
        : value is string text && Numbers.ParseFloat(text) is { } parsed ? parsed
        : a.Or(0, 0.0);

    private static object? Rounded(Machine machine, object? value, Bound a)
    {
        var (precision, method) = (a.Integer(0), a.Text(1, "common"));
        if (method is not ("common" or "ceil" or "floor"))
            throw new JinjaException("method must be common, ceil or floor");
        if (value is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        if (method != "common")
        {
            var power = Operators.Apply(machine, "**", (BigInteger)10, (BigInteger)precision);
            var scaled = Operators.Apply(machine, "*", value, power);
            var whole =
                Numbers.Integer(scaled)
                ?? (
                    scaled is double real
                        ? Numbers.Truncated(method == "ceil" ? Math.Ceiling(real) : Math.Floor(real))
                        : throw new JinjaException("round takes a number")
                );
            return Operators.Apply(machine, "/", whole, power);
        }
        if (value is double number)
            return Rounding.Round(number, precision) is var rounded && double.IsInfinity(rounded) && double.IsFinite(number)
                ? throw new JinjaException("rounded value too large to represent")
                : rounded;
        if (Numbers.Integer(value) is not { } integer)
            throw new JinjaException($"round takes a number, not {Printing.TypeName(value)}");
        if (precision >= 0)
            return integer;
        if (precision < -4300)
            return BigInteger.Zero;
        var unit = BigInteger.Pow(10, -precision);
        return Rounding.NearestEven(BigInteger.Abs(integer), unit) * unit * integer.Sign;
    }

    private static object? Default(object? value, Bound a) => value is Undefined || (a.Flag(1) && !Truth.Of(value)) ? a.Or(0, "") : value;

    private static object? Attribute(object? value, string name) =>
        value is Undefined ? throw new JinjaException(((Undefined)value).Reason)
        : Attributes.TryGet(value, name, out _) ? Access.Attribute(value, name)
        : new Undefined($"'{Printing.TypeName(value)}' object has no attribute '{name}'");

    private static JsonStyle Style(Machine machine, Bound a)
    {
        var indent =
            a.Or(1, null) is null ? null
            : a[1] is string text ? text
            : new string(' ', machine.Fits(Math.Max(0, a.Integer(1))));
        var (item, key) = (indent is null ? ", " : ",", ": ");
        if (a.Or(2, null) is not null)
        {
            (item, key) = Iteration.Listed(machine, a[2]) is [string first, string second]
                ? (first, second)
                : throw new JinjaException("tojson: separators are two strings");
        }
        return new JsonStyle(indent, item, key, a.Flag(3), a.Flag(0));
    }
}
