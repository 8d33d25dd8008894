using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The arithmetic of expressions, with Python's types and signs.</summary>
internal static class Operators
{
    public static object? Apply(Machine machine, string sign, object? left, object? right)
    {
        if (left is Undefined a)
            throw new JinjaException(a.Reason);
        // Python asks the left operand first: formatting takes an undefined argument as it is.
        if (right is Undefined b && !(sign == "%" && left is string))
            throw new JinjaException(b.Reason);
        return sign switch
        {
            "+" => Add(machine, left, right),
            "*" => Multiply(machine, left, right),
            "%" when left is string format => PercentFormat.Apply(machine, format, right),
            _ when Numbers.Integer(left) is { } x && Numbers.Integer(right) is { } y => OfIntegers(sign, x, y),
            _ when Numbers.Float(left) is { } x && Numbers.Float(right) is { } y => OfFloats(sign, x, y),
            _ => throw Unsupported(sign, left, right),
        };
    }

    public static object? Negate(object? value) =>
        Numbers.Integer(value) is { } integer ? -integer
        : value is double number ? -number
        : throw Unary("-", value);

    public static object? Plus(object? value) =>
        Numbers.Integer(value) is { } integer ? integer
        : value is double ? value
        : throw Unary("+", value);

    private static object? Add(Machine machine, object? left, object? right) =>
        (left, right) switch
        {
            (string x, string y) => machine.Made(x.Length + y.Length, x + y),
            (Markup x, string or Markup) => new Markup(machine.Made(x.Text + Html.Escaped(right))),
            (string x, Markup y) => new Markup(machine.Made(Html.Escaped(x) + y.Text)),
            (ListValue x, ListValue y) => new ListValue(Joined(machine, x.Items, y.Items)),
            (TupleValue x, TupleValue y) => new TupleValue(Joined(machine, x.Items, y.Items)),
            _ when Numbers.Integer(left) is { } x && Numbers.Integer(right) is { } y => Numbers.Checked(x + y),
            _ when Numbers.Float(left) is { } x && Numbers.Float(right) is { } y => x + y,
            _ => throw Unsupported("+", left, right),
        };

    private static object? Multiply(Machine machine, object? left, object? right) =>
        (left, right) switch
        {
            (string x, _) when Numbers.Integer(right) is { } times => Repeated(machine, x, times),
            (_, string y) when Numbers.Integer(left) is { } times => Repeated(machine, y, times),
            (ListValue or TupleValue, _) when Numbers.Integer(right) is { } times => Repeated(machine, (SequenceValue)left!, times),
            (_, ListValue or TupleValue) when Numbers.Integer(left) is { } times => Repeated(machine, (SequenceValue)right!, times),
            _ when Numbers.Integer(left) is { } x && Numbers.Integer(right) is { } y => Numbers.Checked(x * y),
            _ when Numbers.Float(left) is { } x && Numbers.Float(right) is { } y => x * y,
            _ => throw Unsupported("*", left, right),
        };

    private static string Repeated(Machine machine, string text, BigInteger times)
    {
        if (times.Sign <= 0 || text.Length == 0)
            return "";
        var length = machine.Fits(times * text.Length);
        return machine.Made(length, string.Concat(Enumerable.Repeat(text, (int)times)));
    }

    private static SequenceValue Repeated(Machine machine, SequenceValue sequence, BigInteger times)
    {
        if (times.Sign <= 0 || sequence.Items.Count == 0)
            return sequence.With([]);
        machine.Step(machine.Fits(times * sequence.Items.Count));
        return sequence.With([.. Enumerable.Repeat(sequence.Items, (int)times).SelectMany(static items => items)]);
    }

    private static object?[] Joined(Machine machine, IReadOnlyList<object?> left, IReadOnlyList<object?> right)
    {
        machine.Step(left.Count + right.Count);
        return [.. left, .. right];
    }

    private static object OfIntegers(string sign, BigInteger left, BigInteger right)
    {
        switch (sign)
        {
            case "-":
                return Numbers.Checked(left - right);
            case "**" when right.Sign >= 0:
                // The bits of the power are known before it is taken.
                return !BigInteger.Abs(left).IsOne && !left.IsZero && left.GetBitLength() * right > 20_000
                    ? throw new JinjaException("the power has more digits than this evaluator keeps")
                    : Numbers.Checked(
                        right > int.MaxValue
                            ? (left.IsZero || left.IsOne || right.IsEven ? left * left : left)
                            : BigInteger.Pow(left, (int)right)
                    );
            case "**":
                return OfFloats(sign, Numbers.ToFloat(left), Numbers.ToFloat(right));
        }
        if (right.IsZero)
            throw new JinjaException("division by zero");
        switch (sign)
        {
            case "/":
                return Numbers.Ratio(left, right);
            case "//":
                var quotient = BigInteger.DivRem(left, right, out var rest);
                return !rest.IsZero && rest.Sign != right.Sign ? quotient - 1 : quotient;
            default:
                var remainder = BigInteger.Remainder(left, right);
                return !remainder.IsZero && remainder.Sign != right.Sign ? remainder + right : remainder;
        }
    }

    private static object OfFloats(string sign, double left, double right)
    {
        if (right == 0 && sign is ("/" or "//" or "%"))
            throw new JinjaException("division by zero");
        return sign switch
        {
            "-" => left - right,
            "/" => left / right,
            "//" => FloorDivide(left, right),
            "%" => Modulo(left, right),
            _ => Power(left, right),
        };
    }

    private static double Modulo(double left, double right)
    {
        var rest = left % right;
        return rest == 0 ? Math.CopySign(0, right)
            : rest < 0 != right < 0 ? rest + right
            : rest;
    }

    private static double FloorDivide(double left, double right)
    {
        var rest = left % right;
        var quotient = (left - rest) / right;
        if (rest != 0 && rest < 0 != right < 0)
            quotient -= 1;
        if (quotient == 0)
            return Math.CopySign(0, left / right);
        var floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static double Power(double left, double right)
    {
        if (left == 0 && right < 0)
            throw new JinjaException("0 cannot be raised to a negative power");
        if (left < 0 && double.IsFinite(left) && double.IsFinite(right) && Math.Floor(right) != right)
            throw new JinjaException("complex numbers, such as a negative one raised to a fraction, are not supported");
        var power = Math.Pow(left, right);
        return double.IsInfinity(power) && double.IsFinite(left) && double.IsFinite(right)
            ? throw new JinjaException("the power is too large for a floating-point number")
            : power;
    }

    private static JinjaException Unary(string sign, object? value) =>
        value is Undefined undefined
            ? new JinjaException(undefined.Reason)
            : new JinjaException($"{sign} does not go with {Printing.TypeName(value)}");

    private static JinjaException Unsupported(string sign, object? left, object? right) =>
        new($"{Printing.TypeName(left)} {sign} {Printing.TypeName(right)} is not supported");
}
