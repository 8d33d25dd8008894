using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>A test: what stands behind <c>is</c>.</summary>
internal sealed record Test(Signature Signature, Func<Machine, object?, Bound, bool> Body);

/// <summary>All tests by their names.</summary>
internal static class Tests
{
    private static readonly Signature Other = Signature.Positional("other");

    private static readonly Dictionary<string, Test> All = new()
    {
        ["defined"] = new(Signature.Empty, static (_, v, _) => v is not Undefined),
        ["undefined"] = new(Signature.Empty, static (_, v, _) => v is Undefined),
        ["none"] = new(Signature.Empty, static (_, v, _) => v is null),
        ["boolean"] = new(Signature.Empty, static (_, v, _) => v is bool),
        ["true"] = new(Signature.Empty, static (_, v, _) => v is true),
        ["false"] = new(Signature.Empty, static (_, v, _) => v is false),
        ["integer"] = new(Signature.Empty, static (_, v, _) => v is BigInteger),
        ["float"] = new(Signature.Empty, static (_, v, _) => v is double),
        ["number"] = new(Signature.Empty, static (_, v, _) => Numbers.IsNumber(v)),
        ["string"] = new(Signature.Empty, static (_, v, _) => v is string or Markup),
        ["mapping"] = new(Signature.Empty, static (_, v, _) => v is DictValue),
        ["sequence"] = new(Signature.Empty, static (_, v, _) => v is string or Markup or SequenceValue or DictValue or Undefined),
        ["iterable"] = new(Signature.Empty, static (_, v, _) => Iteration.IsIterable(v)),
        ["callable"] = new(Signature.Empty, static (_, v, _) => v is Callable or Undefined),
        ["escaped"] = new(Signature.Empty, static (_, v, _) => v is Markup),
        ["lower"] = new(Signature.Empty, static (m, v, _) => Cases.IsLower(Printing.Text(m, v))),
        ["upper"] = new(Signature.Empty, static (m, v, _) => Cases.IsUpper(Printing.Text(m, v))),
        ["odd"] = new(Signature.Empty, static (m, v, _) => Comparison.AreEqual(Operators.Apply(m, "%", v, (BigInteger)2), BigInteger.One)),
        ["even"] = new(
            Signature.Empty,
            static (m, v, _) => Comparison.AreEqual(Operators.Apply(m, "%", v, (BigInteger)2), BigInteger.Zero)
        ),
        ["divisibleby"] = new(
            Signature.Of("num"),
            static (m, v, a) => Comparison.AreEqual(Operators.Apply(m, "%", v, a[0]), BigInteger.Zero)
        ),
        ["sameas"] = new(Signature.Of("other"), static (_, v, a) => Comparison.AreIdentical(v, a[0])),
        ["in"] = new(Signature.Of("seq"), static (m, v, a) => Comparison.Contains(m, a[0], v)),
        ["filter"] = new(Signature.Empty, static (_, v, _) => Key.Of(v).Value is string name && Filters.IsKnown(name)),
        ["test"] = new(Signature.Empty, static (_, v, _) => Key.Of(v).Value is string name && IsKnown(name)),
        ["eq"] = new(Other, static (_, v, a) => Comparison.AreEqual(v, a[0])),
        ["ne"] = new(Other, static (_, v, a) => !Comparison.AreEqual(v, a[0])),
        ["lt"] = new(Other, static (_, v, a) => Comparison.Order(v, a[0], "<") < 0),
        ["le"] = new(Other, static (_, v, a) => Comparison.Order(v, a[0], "<=") <= 0),
        ["gt"] = new(Other, static (_, v, a) => Comparison.Order(v, a[0], ">") > 0),
        ["ge"] = new(Other, static (_, v, a) => Comparison.Order(v, a[0], ">=") >= 0),
    };

    private static readonly Dictionary<string, string> OtherNames = new()
    {
        ["=="] = "eq",
        ["equalto"] = "eq",
        ["!="] = "ne",
        ["<"] = "lt",
        ["lessthan"] = "lt",
        ["<="] = "le",
        [">"] = "gt",
        ["greaterthan"] = "gt",
        [">="] = "ge",
    };

    public static bool IsKnown(string name) => All.ContainsKey(OtherNames.GetValueOrDefault(name, name));

    /// <summary>The test of that name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="line">Where it stands in the template; 0: known while it is evaluated.</param>
    public static Test Named(string name, int line = 0) =>
        All.TryGetValue(OtherNames.GetValueOrDefault(name, name), out var test)
            ? test
            : throw new JinjaException($"there is no test '{name}'", line);

    public static bool Holds(Machine machine, string name, object? value, CallArguments arguments)
    {
        var test = Named(name);
        machine.Step();
        return test.Body(machine, value, test.Signature.Bind(name, arguments));
    }
}
