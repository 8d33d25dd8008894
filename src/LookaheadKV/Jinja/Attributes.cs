using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The attributes of each type. Those that Python has and this evaluator has not are there too: whoever calls one is told its name.</summary>
internal static class Attributes
{
    private static readonly HashSet<string> OfText =
    [
        .. "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii isdecimal isdigit".Split(
            ' '
        ),
        .. "isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition removeprefix".Split(
            ' '
        ),
        .. "removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill".Split(
            ' '
        ),
    ];
    private static readonly HashSet<string> OfDict =
    [
        .. "clear copy fromkeys get items keys pop popitem setdefault update values".Split(' '),
    ];
    private static readonly HashSet<string> OfList = [.. "append clear copy count extend index insert pop remove reverse sort".Split(' ')];
    private static readonly HashSet<string> OfTuple = ["count", "index"];
    private static readonly HashSet<string> OfRange = ["count", "index", "start", "stop", "step"];
    private static readonly HashSet<string> OfView = ["isdisjoint", "mapping"];
    private static readonly HashSet<string> OfGenerator =
    [
        "close",
        "gi_code",
        "gi_frame",
        "gi_running",
        "gi_suspended",
        "gi_yieldfrom",
        "send",
        "throw",
    ];
    private static readonly HashSet<string> OfInteger =
    [
        .. "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag numerator real to_bytes".Split(' '),
    ];
    private static readonly HashSet<string> OfFloat = ["as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"];
    private static readonly HashSet<string> ChangesDict = ["clear", "pop", "popitem", "setdefault", "update"];
    private static readonly HashSet<string> ChangesList = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

    /// <summary>Whether jinja2's sandbox bans the attribute because it changes the value.</summary>
    public static bool Changes(object? value, string name) =>
        value is DictValue ? ChangesDict.Contains(name) : value is ListValue && ChangesList.Contains(name);

    /// <summary>The attribute of that name.</summary>
    public static bool TryGet(object? value, string name, out object? attribute)
    {
        attribute = null;
        if (name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal) && value is not NamespaceValue)
            return IsSpecial(name);
        switch (value)
        {
            case NamespaceValue space:
                return space.Attributes.TryGetValue(name, out attribute);
            case LoopValue loop:
                return loop.TryGet(name, out attribute);
            case Cycler cycler:
                return cycler.TryGet(name, out attribute);
            case MacroValue macro:
                return macro.TryGet(name, out attribute);
            case TupleValue tuple when tuple.Names.Contains(name):
                attribute = tuple.Items[tuple.Names.ToList().IndexOf(name)];
                return true;
            case DictValue dict when OfDict.Contains(name):
                attribute = Method(name, CollectionMethods.OfDict.GetValueOrDefault(name), dict);
                return true;
            case string text when OfText.Contains(name):
                attribute = Method(name, TextMethods.All.GetValueOrDefault(name), text);
                return true;
            case SequenceValue sequence when Names(sequence).Contains(name):
                attribute = Method(name, CollectionMethods.OfSequence.GetValueOrDefault(name), sequence);
                return true;
            case bool or BigInteger when OfInteger.Contains(name):
            case double when OfFloat.Contains(name):
            case DictView when OfView.Contains(name):
            case Generator { Type: "generator" } when OfGenerator.Contains(name):
                attribute = new Unsupported($"{Printing.TypeName(value)}.{name}");
                return true;
            case Markup:
                throw new JinjaException($"attributes of escaped text ({name}) are not supported");
            default:
                return false;
        }
    }

    private static HashSet<string> Names(SequenceValue sequence) =>
        sequence switch
        {
            ListValue => OfList,
            TupleValue => OfTuple,
            _ => OfRange,
        };

    // All of Python's special attributes are banned; which of them a type has makes no difference but to an item of the same name.
    private static bool IsSpecial(string name) =>
        name is "__class__" or "__init__" or "__doc__" or "__dict__" or "__len__" or "__getitem__" or "__str__";

    private static Callable Method<T>(string name, Method<T>? method, T self) =>
        method is null ? new Unsupported($"{Printing.TypeName(self)}.{name}") : new BoundMethod<T>(name, method, self);

    private sealed class BoundMethod<T>(string name, Method<T> method, T self) : Callable
    {
        public override string Name => name;

        public override object? Call(Machine machine, CallArguments arguments) =>
            method.Body(machine, self, method.Signature.Bind(name, arguments));
    }

    private sealed class Unsupported(string name) : Callable
    {
        public override string Name => name;

        public override object? Call(Machine machine, CallArguments arguments) => throw new JinjaException($"{name} is not supported");
    }
}

/// <summary>A method of a type.</summary>
internal sealed record Method<T>(Signature Signature, Func<Machine, T, Bound, object?> Body);
