using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The functions that every template has.</summary>
internal static class Globals
{
    private const int MaxRange = 100_000; // jinja2's sandbox has the same bound

    public static Dictionary<string, object?> All { get; } =
        new()
        {
            ["range"] = new Function("range", Signature.Positional("start ? stop step"), static (m, a) => Range(m, a)),
            ["dict"] = new Function("dict", Signature.Any, static (m, a) => Dict(m, a.All, "dict")),
            ["namespace"] = new Function("namespace", Signature.Any, static (m, a) => new NamespaceValue(Dict(m, a.All, "namespace"))),
            ["cycler"] = new Function("cycler", Signature.Any, static (_, a) => new Cycler(a.All.Positional)),
            ["joiner"] = new Function("joiner", Signature.Of("? sep"), static (_, a) => new Joiner(a.Or(0, ", "))),
            ["raise_exception"] = new Function(
                "raise_exception",
                Signature.Of("message"),
                static (m, a) => throw new JinjaException(Printing.Text(m, a[0]))
            ),
            ["strftime_now"] = new Function(
                "strftime_now",
                Signature.Of("format"),
                static (m, a) => m.Made(Strftime.Written(a.Text(0), m.Clock.GetLocalNow().DateTime))
            ),
            ["lipsum"] = new Function("lipsum", Signature.Any, static (_, _) => throw new JinjaException("lipsum is not supported")),
        };

    private static RangeValue Range(Machine machine, Bound a)
    {
        BigInteger[] given = [.. a.All.Positional.Select(Whole)];
        var (start, stop) = given.Length == 1 ? (BigInteger.Zero, given[0]) : (given[0], given[1]);
        var step = given.Length == 3 ? given[2] : BigInteger.One;
        if (step.IsZero)
            throw new JinjaException("range's third argument must not be zero");
        var count = BigInteger.Max(0, (step.Sign > 0 ? stop - start + step - 1 : start - stop - step - 1) / BigInteger.Abs(step));
        if (count > MaxRange)
            throw new JinjaException($"range has {count} items; up to {MaxRange} are allowed");
        machine.Step((long)count);
        return new RangeValue(start, stop, step, [.. Enumerable.Range(0, (int)count).Select(i => (object?)(start + i * step))]);

        static BigInteger Whole(object? value) =>
            value is Undefined undefined
                ? throw new JinjaException(undefined.Reason)
                : Numbers.Integer(value) ?? throw new JinjaException($"range takes whole numbers, not {Printing.TypeName(value)}");
    }

    private static DictValue Dict(Machine machine, CallArguments arguments, string name)
    {
        if (arguments.Positional.Count > 1)
            throw new JinjaException($"{name} takes at most 1 argument without a name");
        var entries = arguments.Positional switch
        {
            [] => [],
            [DictValue dict] => dict.Entries,
            [var pairs] => Iteration
                .Over(machine, pairs)
                .Select(pair =>
                    Iteration.Listed(machine, pair) switch
                    {
                        [var key, var value] => KeyValuePair.Create(key, value),
                        _ => throw new JinjaException($"{name} takes a mapping or pairs"),
                    }
                ),
            _ => [],
        };
        return new DictValue(entries.Concat(arguments.Named.Select(static pair => KeyValuePair.Create((object?)pair.Key, pair.Value))));
    }
}

/// <summary>Gives its items in turn, for ever.</summary>
internal sealed class Cycler(IReadOnlyList<object?> items)
{
    private readonly IReadOnlyList<object?> _items = items.Count > 0 ? items : throw new JinjaException("cycler takes at least one item");
    private int _at;

    public bool TryGet(string name, out object? attribute)
    {
        attribute = name switch
        {
            "current" => _items[_at],
            "next" => new Function("next", Signature.Empty, (_, _) => Next()),
            "reset" => new Function("reset", Signature.Empty, (_, _) => Reset()),
            _ => null,
        };
        return name is "current" or "next" or "reset";
    }

    private object? Next()
    {
        var item = _items[_at];
        _at = (_at + 1) % _items.Count;
        return item;
    }

    private object? Reset()
    {
        _at = 0;
        return null;
    }
}

/// <summary>Gives nothing when called first, its separator from then on.</summary>
internal sealed class Joiner(object? separator) : Callable
{
    private bool _used;

    public override string Name => "joiner";

    public override object? Call(Machine machine, CallArguments arguments)
    {
        Signature.Empty.Bind(Name, arguments);
        var given = _used ? separator : "";
        _used = true;
        return given;
    }
}
