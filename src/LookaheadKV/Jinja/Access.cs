using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Attributes, subscripts and slices, with jinja2's order of trying and its sandbox's bans.</summary>
internal static class Access
{
    /// <summary><c>value.name</c>: an attribute, else an item of that name.</summary>
    public static object? Attribute(object? value, string name)
    {
        if (value is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        return Attributes.TryGet(value, name, out var attribute) ? Safe(value, name, attribute)
            : TryItem(value, name, out var item) ? item
            : Lacking(value, name);
    }

    /// <summary><c>value[key]</c>: an item, else, if the key is a string, an attribute of that name.</summary>
    public static object? Item(object? value, object? key)
    {
        if (value is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        return TryItem(value, key, out var item) ? item
            : key is string name && Attributes.TryGet(value, name, out var attribute) ? Safe(value, name, attribute)
            : key is string missing ? Lacking(value, missing)
            : new Undefined($"{Printing.TypeName(value)} has no such element");
    }

    /// <summary><c>value[start:stop:step]</c>.</summary>
    public static object? Slice(Machine machine, object? value, object? start, object? stop, object? step)
    {
        if (value is Undefined undefined)
            throw new JinjaException(undefined.Reason);
        if (value is not (string or SequenceValue))
            throw new JinjaException(
                value is Markup ? "slices of escaped text are not supported" : $"{Printing.TypeName(value)} cannot be sliced"
            );
        if (value is string text && CodePoints.Count(text) == text.Length && Bound(step) is not { IsOne: false })
        {
            var (from, to) = Ends(text.Length, Bound(start), Bound(stop));
            return machine.Made(text[from..Math.Max(from, to)]);
        }
        var items = value is SequenceValue sequence ? sequence.Items : [.. CodePoints.Of((string)value)];
        var places = Places(items.Count, Bound(start), Bound(stop), Bound(step) ?? 1);
        var chosen = new List<object?>();
        foreach (var place in places)
        {
            machine.Step();
            chosen.Add(items[place]);
        }
        return value is string ? machine.Made(string.Concat(chosen)) : ((SequenceValue)value).With(chosen);
    }

    private static (int From, int To) Ends(int count, BigInteger? start, BigInteger? stop) =>
        (Clipped(start ?? 0, count, 0, count), Clipped(stop ?? count, count, 0, count));

    private static IEnumerable<int> Places(int count, BigInteger? start, BigInteger? stop, BigInteger step)
    {
        if (step.IsZero)
            throw new JinjaException("slice step cannot be zero");
        var forwards = step.Sign > 0;
        var (low, high) = forwards ? (0, count) : (-1, count - 1);
        var from =
            start is { } s ? Clipped(s, count, low, high)
            : forwards ? low
            : high;
        var to =
            stop is { } e ? Clipped(e, count, low, high)
            : forwards ? high
            : low;
        var stride = (int)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, step));
        for (long at = from; forwards ? at < to : at > to; at += stride)
            yield return (int)at;
    }

    private static int Clipped(BigInteger place, int count, int low, int high) =>
        (int)BigInteger.Max(low, BigInteger.Min(high, place.Sign < 0 ? place + count : place));

    private static BigInteger? Bound(object? value) =>
        value is null ? null
        : Numbers.Integer(value) is { } integer ? integer
        : throw new JinjaException($"slice bounds must be whole numbers, not {Printing.TypeName(value)}");

    private static bool TryItem(object? value, object? key, out object? item)
    {
        item = null;
        switch (value)
        {
            case DictValue dict:
                return dict.TryGet(key, out item);
            case SequenceValue sequence when Place(key, sequence.Items.Count) is { } place:
                item = sequence.Items[place];
                return true;
            case string text when Numbers.Integer(key) is not null && Place(key, CodePoints.Count(text)) is { } place:
                var at = CodePoints.Offset(text, place);
                item = text[at..(at + CodePoints.Offset(text[at..Math.Min(text.Length, at + 2)], 1))];
                return true;
            case Markup:
                throw new JinjaException("items of escaped text are not supported");
            default:
                return false;
        }
    }

    private static int? Place(object? key, int count)
    {
        if (Numbers.Integer(key) is not { } place)
            return null;
        if (place.Sign < 0)
            place += count;
        return place.Sign >= 0 && place < count ? (int)place : null;
    }

    // The sandbox of jinja2 hands out neither what starts with an underscore nor what changes a list or dict.
    private static object? Safe(object? value, string name, object? attribute) =>
        name.StartsWith('_') || Attributes.Changes(value, name)
            ? new Undefined($"access to attribute '{name}' of '{Printing.TypeName(value)}' object is unsafe")
            : attribute;

    private static Undefined Lacking(object? value, string name) => new($"'{Printing.TypeName(value)}' object has no attribute '{name}'");
}
