using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The <c>loop</c> of a loop's body. It goes through the items as they are asked for: a filter sees what the passes before it changed.</summary>
/// <param name="items">The items.</param>
/// <param name="length">How many there are, or null where only counting tells.</param>
/// <param name="depth">How many loops of a recursive one this is within.</param>
/// <param name="recurse">Runs the same loop over other items, at the next depth; null where it is not recursive.</param>
internal sealed class LoopValue(IEnumerable<object?> items, int? length, int depth, Func<object?, int, string>? recurse) : Callable
{
    private readonly Queue<object?> _ahead = new();
    private readonly IEnumerator<object?> _items = items.GetEnumerator();
    private int? _length = length;
    private int _index0 = -1;
    private object? _before;
    private (bool Any, IReadOnlyList<object?> Values) _changed;

    public override string Name => "loop";

    public object? Current { get; private set; }

    public int Index => _index0 + 1;

    public int Length
    {
        get
        {
            if (_length is null)
            {
                while (_items.MoveNext())
                    _ahead.Enqueue(_items.Current);
                _length = Index + _ahead.Count;
            }
            return _length.Value;
        }
    }

    public bool MoveNext()
    {
        if (!Peek())
            return false;
        _before = Current;
        Current = _ahead.Dequeue();
        _index0++;
        return true;
    }

    public override object? Call(Machine machine, CallArguments arguments)
    {
        var bound = Signature.Of("iterable").Bind(Name, arguments);
        return recurse is null
            ? throw new JinjaException("loop can be called in a loop that is marked as recursive")
            : machine.Made(recurse(bound[0], depth + 1));
    }

    public bool TryGet(string name, out object? attribute)
    {
        object? Whole(int number) => (BigInteger)number;
        switch (name)
        {
            case "index":
                attribute = Whole(Index);
                return true;
            case "index0":
                attribute = Whole(_index0);
                return true;
            case "revindex":
                attribute = Whole(Length - _index0);
                return true;
            case "revindex0":
                attribute = Whole(Length - Index);
                return true;
            case "length":
                attribute = Whole(Length);
                return true;
            case "first":
                attribute = _index0 == 0;
                return true;
            case "last":
                attribute = !Peek();
                return true;
            case "depth":
                attribute = Whole(depth + 1);
                return true;
            case "depth0":
                attribute = Whole(depth);
                return true;
            case "previtem":
                attribute = _index0 == 0 ? new Undefined("there is no previous item") : _before;
                return true;
            case "nextitem":
                attribute = Peek() ? _ahead.Peek() : new Undefined("there is no next item");
                return true;
            case "cycle":
                attribute = new Function("cycle", Signature.Any, (_, a) => Cycle(a.All.Positional));
                return true;
            case "changed":
                attribute = new Function("changed", Signature.Any, (_, a) => Changed(a.All.Positional));
                return true;
            default:
                attribute = null;
                return false;
        }
    }

    private bool Peek()
    {
        if (_ahead.Count == 0 && _items.MoveNext())
            _ahead.Enqueue(_items.Current);
        return _ahead.Count > 0;
    }

    private object? Cycle(IReadOnlyList<object?> values) =>
        values.Count > 0 ? values[_index0 % values.Count] : throw new JinjaException("loop.cycle takes at least one value");

    private object? Changed(IReadOnlyList<object?> values)
    {
        if (_changed.Any && Comparison.AreEqual(new TupleValue(_changed.Values), new TupleValue(values)))
            return false;
        _changed = (true, values);
        return true;
    }
}
