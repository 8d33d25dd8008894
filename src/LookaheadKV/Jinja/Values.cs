using System.Numerics;

namespace LookaheadKV.Jinja;

// A template's values are Python's. None is null; True and False are bool; an int is a BigInteger, a float a double, a str a string.
// The rest is here. Nothing but a namespace, a cycler and a generator ever changes.

/// <summary>What a name or attribute that does not exist gives: prints as nothing, is false, and iterates over nothing.</summary>
/// <param name="Reason">The message where something is done with it that needs a value.</param>
internal sealed record Undefined(string Reason)
{
    /// <summary>What a name gives that nobody set.</summary>
    public static Undefined Name(string name) => new($"'{name}' is undefined");

    public bool Equals(Undefined? other) => other is not null;

    public override int GetHashCode() => 0;
}

/// <summary>A list, tuple or range.</summary>
internal abstract class SequenceValue(IReadOnlyList<object?> items)
{
    public IReadOnlyList<object?> Items { get; } = items;

    /// <summary>A sequence of the same type with other items: what a slice gives.</summary>
    public abstract SequenceValue With(IReadOnlyList<object?> items);
}

internal sealed class ListValue(IReadOnlyList<object?> items) : SequenceValue(items)
{
    public override SequenceValue With(IReadOnlyList<object?> items) => new ListValue(items);
}

/// <summary>A tuple; with names for its items where it is a group of <c>groupby</c>.</summary>
internal sealed class TupleValue(IReadOnlyList<object?> items, IReadOnlyList<string>? names = null) : SequenceValue(items)
{
    /// <summary>Attributes that stand for the items by their place.</summary>
    public IReadOnlyList<string> Names { get; } = names ?? [];

    public override SequenceValue With(IReadOnlyList<object?> items) => new TupleValue(items);
}

internal sealed class RangeValue(BigInteger start, BigInteger stop, BigInteger step, IReadOnlyList<object?> items) : SequenceValue(items)
{
    public string Text => step.IsOne ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})";

    // Python's slice of a range is a range, which prints as one.
    public override SequenceValue With(IReadOnlyList<object?> items) => throw new JinjaException("slices of a range are not supported");
}

/// <summary>A dict: keeps the order of its keys.</summary>
internal sealed class DictValue(IEnumerable<KeyValuePair<object?, object?>> entries)
{
    private readonly OrderedDictionary<Key, object?> _entries = Collected(entries);

    public int Count => _entries.Count;

    public IEnumerable<object?> Keys => _entries.Keys.Select(static key => key.Value);

    public IEnumerable<object?> Values => _entries.Values;

    public IEnumerable<KeyValuePair<object?, object?>> Entries =>
        _entries.Select(static entry => KeyValuePair.Create(entry.Key.Value, entry.Value));

    /// <summary>The value of a key; false where there is none, or the key is of a type that no dict takes.</summary>
    public bool TryGet(object? key, out object? value)
    {
        value = null;
        return Comparison.IsHashable(key) && _entries.TryGetValue(new Key(key), out value);
    }

    private static OrderedDictionary<Key, object?> Collected(IEnumerable<KeyValuePair<object?, object?>> entries)
    {
        var collected = new OrderedDictionary<Key, object?>();
        foreach (var (key, value) in entries)
            collected[Key.Of(key)] = value; // a later value takes the first key's place
        return collected;
    }
}

/// <summary>A key of a dict or member of a set: equal where Python finds it equal, so that 1, 1.0 and True are one.</summary>
internal readonly record struct Key(object? Value)
{
    public static Key Of(object? value) =>
        Comparison.IsHashable(value) ? new Key(value) : throw new JinjaException($"unhashable type: '{Printing.TypeName(value)}'");

    public bool Equals(Key other) => Comparison.AreEqual(Value, other.Value);

    public override int GetHashCode() => Comparison.Hash(Value);
}

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> of a dict give.</summary>
/// <param name="Type">Python's name of the type, which prints.</param>
/// <param name="Items">What it holds.</param>
internal sealed record DictView(string Type, IReadOnlyList<object?> Items);

/// <summary>What lazy filters give: can be gone through once, has no length, and is always true.</summary>
internal sealed class Generator(IEnumerable<object?> items, string type = "generator")
{
    private readonly IEnumerator<object?> _items = items.GetEnumerator();

    /// <summary>Python's name of the type.</summary>
    public string Type { get; } = type;

    public bool TryNext(out object? item)
    {
        var found = _items.MoveNext();
        item = found ? _items.Current : null;
        return found;
    }
}

/// <summary>The one object whose attributes a template can set.</summary>
internal sealed class NamespaceValue(DictValue attributes)
{
    public OrderedDictionary<string, object?> Attributes { get; } =
        new(attributes.Entries.Where(static e => e.Key is string).Select(static e => KeyValuePair.Create((string)e.Key!, e.Value)));

    /// <summary>Whether it is being printed just now.</summary>
    public bool IsPrinting { get; set; }
}

/// <summary>Text that was escaped for HTML or declared safe. Only what Python does differently with it is known here; the rest is refused.</summary>
internal sealed record Markup(string Text);

/// <summary>The arguments of a call.</summary>
/// <param name="Positional">Those without a name.</param>
/// <param name="Named">Those with one, in their order.</param>
internal sealed record CallArguments(IReadOnlyList<object?> Positional, IReadOnlyList<KeyValuePair<string, object?>> Named)
{
    public static CallArguments None { get; } = new([], []);
}

/// <summary>A function, bound method, macro, or other thing that can be called.</summary>
internal abstract class Callable
{
    /// <summary>What it is called in messages.</summary>
    public abstract string Name { get; }

    public abstract object? Call(Machine machine, CallArguments arguments);
}

/// <summary>A function written in C#.</summary>
internal sealed class Function(string name, Signature signature, Func<Machine, Bound, object?> body) : Callable
{
    public override string Name => name;

    public override object? Call(Machine machine, CallArguments arguments) => body(machine, signature.Bind(name, arguments));
}

/// <summary>What cannot be done: becomes an <see cref="InputException"/> with the template's name and line where the template is entered.</summary>
internal sealed class JinjaException(string message, int line = 0) : Exception(message)
{
    /// <summary>The line it is about, from 1; 0: the one that is being evaluated.</summary>
    public int Line { get; } = line;
}
