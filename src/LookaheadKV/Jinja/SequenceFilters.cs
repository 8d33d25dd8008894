using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Filters of whatever can be gone through.</summary>
internal static class SequenceFilters
{
    private static readonly Signature Sorted = Signature.Of("? reverse case_sensitive attribute");
    private static readonly Signature Picked = Signature.Of("? case_sensitive attribute");

    public static Dictionary<string, Filter> All { get; } =
        new()
        {
            ["length"] = new(Signature.Empty, static (_, v, _) => Length(v)),
            ["count"] = new(Signature.Empty, static (_, v, _) => Length(v)),
            ["list"] = new(Signature.Empty, static (m, v, _) => new ListValue(Iteration.Listed(m, v))),
            ["first"] = new(Signature.Empty, static (m, v, _) => First(Iteration.Over(m, v))),
            ["last"] = new(
                Signature.Empty,
                static (m, v, _) =>
                    v is Generator or LoopValue
                        ? throw new JinjaException($"a {Printing.TypeName(v)} has no last item; put |list before it")
                        : First(Iteration.Listed(m, v).AsEnumerable().Reverse())
            ),
            ["join"] = new(Signature.Of("? d attribute"), static (m, v, a) => Joined(m, v, a)),
            ["reverse"] = new(Signature.Empty, static (m, v, _) => Reversed(m, v)),
            ["sort"] = new(
                Sorted,
                static (m, v, a) => new ListValue(Sorting.By(m, Iteration.Over(m, v), Keys(a.Or(2, null), a.Flag(1)), a.Flag(0)))
            ),
            ["dictsort"] = new(Signature.Of("? case_sensitive by reverse"), static (m, v, a) => DictSorted(m, v, a)),
            ["unique"] = new(Picked, static (m, v, a) => new Generator(Unique(m, v, Getter(a.Or(1, null), a.Flag(0))))),
            ["min"] = new(Picked, static (m, v, a) => Extreme(m, v, Getter(a.Or(1, null), a.Flag(0)), "<")),
            ["max"] = new(Picked, static (m, v, a) => Extreme(m, v, Getter(a.Or(1, null), a.Flag(0)), ">")),
            ["sum"] = new(Signature.Of("? attribute start"), static (m, v, a) => Sum(m, v, a)),
            ["groupby"] = new(Signature.Of("attribute ? default case_sensitive"), static (m, v, a) => Grouped(m, v, a)),
            ["batch"] = new(
                Signature.Of("linecount ? fill_with"),
                static (m, v, a) => new Generator(Batches(m, v, a.Integer(0), a.Or(1, null)))
            ),
            ["slice"] = new(
                Signature.Of("slices ? fill_with"),
                static (m, v, a) => new Generator(Slices(m, v, a.Integer(0), a.Or(1, null)))
            ),
            ["items"] = new(Signature.Empty, static (_, v, _) => new Generator(Items(v))),
            ["map"] = new(Signature.Any, static (m, v, a) => new Generator(Mapped(m, v, a.All))),
            ["select"] = new(Signature.Any, static (m, v, a) => new Generator(Chosen(m, v, a.All, ofAttribute: false, wanted: true))),
            ["reject"] = new(Signature.Any, static (m, v, a) => new Generator(Chosen(m, v, a.All, ofAttribute: false, wanted: false))),
            ["selectattr"] = new(Signature.Any, static (m, v, a) => new Generator(Chosen(m, v, a.All, ofAttribute: true, wanted: true))),
            ["rejectattr"] = new(Signature.Any, static (m, v, a) => new Generator(Chosen(m, v, a.All, ofAttribute: true, wanted: false))),
        };

    private static object Length(object? value) =>
        Truth.Length(value) is { } length ? (BigInteger)length : throw new JinjaException($"{Printing.TypeName(value)} has no length");

    private static object? First(IEnumerable<object?> items)
    {
        foreach (var item in items)
            return item;
        return new Undefined("the sequence was empty");
    }

    private static string Joined(Machine machine, object? value, Bound a)
    {
        var items = Iteration.Over(machine, value);
        if (a.Or(1, null) is { } attribute)
            items = items.Select(Getter(attribute, caseSensitive: true));
        var separator = Printing.Text(machine, a.Or(0, ""));
        List<string> parts = [.. items.Select(item => Printing.Text(machine, item))];
        machine.Fits(parts.Sum(static part => (long)part.Length) + (BigInteger)separator.Length * parts.Count);
        return machine.Made(string.Join(separator, parts));
    }

    private static object Reversed(Machine machine, object? value)
    {
        if (value is string text)
            return machine.Made(string.Concat(CodePoints.Of(text).Reverse()));
        if (!Iteration.IsIterable(value) || value is LoopValue)
            throw new JinjaException("reverse takes what can be gone through item by item");
        var items = Iteration.Listed(machine, value).AsEnumerable().Reverse();
        return value is Generator ? new ListValue([.. items]) : new Generator(items, "reversed");
    }

    private static ListValue DictSorted(Machine machine, object? value, Bound a)
    {
        var place = a.Text(1, "key") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new JinjaException("dictsort sorts by \"key\" or \"value\""),
        };
        if (value is not DictValue dict)
            throw new JinjaException($"dictsort takes a mapping, not {Printing.TypeName(value)}");
        var pairs = CollectionMethods.Pairs(dict).Cast<TupleValue>();
        return new ListValue([.. Sorting.By(machine, pairs, pair => Folded(pair.Items[place], a.Flag(0)), a.Flag(2))]);
    }

    private static IEnumerable<object?> Unique(Machine machine, object? value, Func<object?, object?> getter)
    {
        var seen = new HashSet<Key>();
        foreach (var item in Iteration.Over(machine, value))
        {
            if (seen.Add(Key.Of(getter(item))))
                yield return item;
        }
    }

    private static object? Extreme(Machine machine, object? value, Func<object?, object?> getter, string sign)
    {
        (object? Item, object? Key)? best = null;
        foreach (var item in Iteration.Over(machine, value))
        {
            var key = getter(item);
            if (best is null || (Comparison.Order(key, best.Value.Key, sign) is { } order && order != 0 && order < 0 == (sign == "<")))
                best = (item, key);
        }
        return best is { } found ? found.Item : new Undefined("the sequence was empty");
    }

    private static object? Sum(Machine machine, object? value, Bound a)
    {
        var items = Iteration.Over(machine, value);
        if (a.Or(0, null) is { } attribute)
            items = items.Select(Getter(attribute, caseSensitive: true));
        var start = a.Or(1, BigInteger.Zero);
        return start is string
            ? throw new JinjaException("sum does not join strings; use |join")
            : items.Aggregate(start, (sum, item) => Operators.Apply(machine, "+", sum, item));
    }

    private static ListValue Grouped(Machine machine, object? value, Bound a)
    {
        var (folded, plain) = (Getter(a[0], a.Flag(2), a.Or(1, null)), Getter(a[0], caseSensitive: true, a.Or(1, null)));
        var groups = new List<(object? Key, List<object?> Items)>();
        foreach (var item in Sorting.By(machine, Iteration.Over(machine, value), folded))
        {
            var key = folded(item);
            if (groups.Count == 0 || !Comparison.AreSame(groups[^1].Key, key))
                groups.Add((key, []));
            groups[^1].Items.Add(item);
        }
        return new ListValue([
            .. groups.Select(group => new TupleValue([plain(group.Items[0]), new ListValue(group.Items)], ["grouper", "list"])),
        ]);
    }

    private static IEnumerable<object?> Batches(Machine machine, object? value, int count, object? fill)
    {
        var batch = new List<object?>();
        foreach (var item in Iteration.Over(machine, value))
        {
            if (batch.Count == count)
            {
                yield return new ListValue(batch);
                batch = [];
            }
            batch.Add(item);
        }
        if (batch.Count == 0)
            yield break;
        if (fill is not null)
        {
            machine.Step(Math.Max(0, count - batch.Count));
            while (batch.Count < count)
                batch.Add(fill);
        }
        yield return new ListValue(batch);
    }

    private static IEnumerable<object?> Slices(Machine machine, object? value, int slices, object? fill)
    {
        var items = Iteration.Listed(machine, value);
        if (slices == 0)
            throw new JinjaException("division by zero");
        if (slices < 0)
            yield break;
        var (each, extra) = Math.DivRem(items.Count, slices);
        for (var (slice, at) = (0, 0); slice < slices; slice++)
        {
            machine.Step();
            var count = each + (slice < extra ? 1 : 0);
            List<object?> part = items.GetRange(at, count);
            if (fill is not null && slice >= extra)
                part.Add(fill);
            at += count;
            yield return new ListValue(part);
        }
    }

    private static IEnumerable<object?> Items(object? value)
    {
        if (value is Undefined)
            yield break;
        foreach (var pair in value is DictValue dict ? CollectionMethods.Pairs(dict) : throw new JinjaException("items takes a mapping"))
            yield return pair;
    }

    private static IEnumerable<object?> Mapped(Machine machine, object? value, CallArguments arguments)
    {
        if (!Truth.Of(value))
            yield break;
        var map = Mapping(machine, arguments);
        foreach (var item in Iteration.Over(machine, value))
            yield return map(item);
    }

    private static Func<object?, object?> Mapping(Machine machine, CallArguments arguments)
    {
        var named = arguments.Named.ToDictionary(static pair => pair.Key, static pair => pair.Value);
        if (arguments.Positional.Count == 0 && named.Remove("attribute", out var attribute))
        {
            named.Remove("default", out var absent);
            return named.Count == 0
                ? Getter(attribute, caseSensitive: true, absent)
                : throw new JinjaException($"map takes no argument called '{named.Keys.First()}'");
        }
        if (arguments.Positional.FirstOrDefault() is not string name)
            throw new JinjaException("map takes the name of a filter, or attribute=");
        var passed = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
        return item => Filters.Apply(machine, name, item, passed);
    }

    private static IEnumerable<object?> Chosen(Machine machine, object? value, CallArguments arguments, bool ofAttribute, bool wanted)
    {
        if (!Truth.Of(value))
            yield break;
        var given = arguments.Positional;
        if (ofAttribute && given.Count == 0)
            throw new JinjaException("selectattr and rejectattr take the name of an attribute");
        var getter = ofAttribute ? Getter(given[0], caseSensitive: true) : static item => item;
        object?[] rest = [.. given.Skip(ofAttribute ? 1 : 0)];
        Func<object?, bool> holds = Truth.Of;
        if (rest.Length > 0)
        {
            var name = rest[0] as string ?? throw new JinjaException("select, reject, selectattr and rejectattr take the name of a test");
            var passed = arguments with { Positional = rest[1..] };
            holds = item => Tests.Holds(machine, name, item, passed);
        }
        foreach (var item in Iteration.Over(machine, value))
        {
            if (holds(getter(item)) == wanted)
                yield return item;
        }
    }

    private static Func<object?, object?> Keys(object? attribute, bool caseSensitive)
    {
        object?[] parts = attribute is string names ? names.Split(',') : [attribute];
        Func<object?, object?>[] getters = [.. parts.Select(part => Getter(part, caseSensitive))];
        return item => new ListValue([.. getters.Select(getter => getter(item))]);
    }

    /// <summary>Reads an attribute by its path, such as <c>a.b.0</c>, from an item; null reads the item itself.</summary>
    private static Func<object?, object?> Getter(object? attribute, bool caseSensitive, object? absent = null)
    {
        object?[] path = attribute switch
        {
            null => [],
            string names =>
            [
                .. names
                    .Split('.')
                    .Select(static part => part != "" && part.All(char.IsAsciiDigit) ? (object?)Numbers.ParseInteger(part) : part),
            ],
            _ => [attribute],
        };
        return item =>
        {
            foreach (var part in path)
            {
                item = Access.Item(item, part);
                if (absent is not null && item is Undefined)
                    item = absent;
            }
            return Folded(item, caseSensitive);
        };
    }

    private static object? Folded(object? value, bool caseSensitive) => value is string text && !caseSensitive ? Cases.Lower(text) : value;
}
