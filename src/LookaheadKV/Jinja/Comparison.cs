using System.Numerics;
using System.Runtime.CompilerServices;

namespace LookaheadKV.Jinja;

/// <summary>When two values are equal, and which comes first.</summary>
internal static class Comparison
{
    public static bool AreEqual(object? left, object? right)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return left is double a && right is double b ? a == b : OfNumbers(left, right) == 0;
        return (left, right) switch
        {
            (null, null) => true,
            (Undefined, Undefined) => true,
            (string a, string b) => a == b,
            (string a, Markup b) => a == b.Text,
            (Markup a, string b) => a.Text == b,
            (Markup a, Markup b) => a.Text == b.Text,
            (SequenceValue a, SequenceValue b) => a.GetType() == b.GetType() && SameItems(a.Items, b.Items),
            (DictValue a, DictValue b) => a.Count == b.Count
                && a.Entries.All(entry => b.TryGet(entry.Key, out var other) && AreSame(entry.Value, other)),
            _ => ReferenceEquals(left, right),
        };
    }

    /// <summary>Python's <c>is</c>, as far as it is the same in every run.</summary>
    public static bool AreIdentical(object? left, object? right) =>
        (left, right) switch
        {
            (bool a, bool b) => a == b,
            (BigInteger a, BigInteger b) => a == b,
            (double a, double b) => a.Equals(b),
            (string a, string b) => a == b,
            _ => ReferenceEquals(left, right),
        };

    /// <summary>The items of a container are compared by identity first, so that a not-a-number is found in its own list.</summary>
    public static bool AreSame(object? left, object? right) => ReferenceEquals(left, right) || AreEqual(left, right);

    public static bool IsHashable(object? value) =>
        value switch
        {
            ListValue or DictValue or DictView => false,
            TupleValue tuple => tuple.Items.All(IsHashable),
            _ => true,
        };

    public static int Hash(object? value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return value switch
        {
            double number when double.IsFinite(number) && Math.Floor(number) == number => new BigInteger(number).GetHashCode(),
            bool flag => (flag ? BigInteger.One : BigInteger.Zero).GetHashCode(),
            Markup markup => markup.Text.GetHashCode(),
            SequenceValue sequence => sequence.Items.Aggregate(17, static (hash, item) => HashCode.Combine(hash, Hash(item))),
            null => 0,
            _ => value.GetHashCode(),
        };
    }

    /// <summary>Whether <paramref name="left"/> comes before <paramref name="right"/>, for <c>&lt;</c> and sorting.</summary>
    public static bool IsLess(object? left, object? right) => Order(left, right, "<") is < 0;

    /// <summary>Below 0, 0 or above 0 as left comes before, with or behind right; null where a not-a-number has no order.</summary>
    /// <param name="left">One value.</param>
    /// <param name="right">The other.</param>
    /// <param name="sign">The operator, for the message.</param>
    public static int? Order(object? left, object? right, string sign)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (left is Undefined nothing)
            throw new JinjaException(nothing.Reason);
        if (right is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return OfNumbers(left, right);
        return (left, right) switch
        {
            (string a, string b) => CodePoints.Compare(a, b),
            (ListValue a, ListValue b) => OfItems(a.Items, b.Items, sign),
            (TupleValue a, TupleValue b) => OfItems(a.Items, b.Items, sign),
            _ => throw new JinjaException($"{Printing.TypeName(left)} {sign} {Printing.TypeName(right)} cannot be compared"),
        };
    }

    /// <summary>Whether the container holds the item: <c>in</c>.</summary>
    public static bool Contains(Machine machine, object? container, object? item)
    {
        if (container is string or Markup)
        {
            var text = container as string ?? ((Markup)container).Text;
            return item switch
            {
                string part => machine.Read(text).Contains(part, StringComparison.Ordinal),
                Markup => throw new JinjaException("'in' with escaped text is not supported"),
                Undefined undefined => throw new JinjaException($"'in <string>' needs a string: {undefined.Reason}"),
                _ => throw new JinjaException($"'in <string>' needs a string, not {Printing.TypeName(item)}"),
            };
        }
        if (container is DictValue dict)
            return dict.TryGet(Key.Of(item).Value, out _);
        if (container is DictView { Type: "dict_keys" })
            _ = Key.Of(item);
        return Iteration.Over(machine, container).Any(each => AreSame(each, item));
    }

    private static bool SameItems(IReadOnlyList<object?> left, IReadOnlyList<object?> right) =>
        left.Count == right.Count && left.Zip(right).All(static pair => AreSame(pair.First, pair.Second));

    private static int? OfItems(IReadOnlyList<object?> left, IReadOnlyList<object?> right, string sign)
    {
        for (var i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (!AreSame(left[i], right[i]))
                return Order(left[i], right[i], sign);
        }
        return left.Count.CompareTo(right.Count);
    }

    // A whole number and a floating-point one are compared exactly.
    private static int? OfNumbers(object? left, object? right)
    {
        if (left is double a && right is double b)
            return double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b);
        if (left is double number)
            return -OfIntegerAndFloat(Numbers.Integer(right)!.Value, number);
        return right is double other
            ? OfIntegerAndFloat(Numbers.Integer(left)!.Value, other)
            : Numbers.Integer(left)!.Value.CompareTo(Numbers.Integer(right)!.Value);
    }

    private static int? OfIntegerAndFloat(BigInteger integer, double number)
    {
        if (double.IsNaN(number))
            return null;
        if (double.IsInfinity(number))
            return number > 0 ? -1 : 1;
        var floor = Math.Floor(number);
        var order = integer.CompareTo(new BigInteger(floor));
        return order == 0 && floor < number ? -1 : order;
    }
}
