using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The parameters of a function, filter, test or method, and how a call's arguments meet them.</summary>
internal sealed class Signature
{
    private readonly string[] _names;
    private readonly int _required;
    private readonly bool _keywords;

    private Signature(string[] names, int required, bool keywords) => (_names, _required, _keywords) = (names, required, keywords);

    /// <summary>Takes no arguments.</summary>
    public static Signature Empty { get; } = Of("");

    /// <summary>Takes whatever it is given.</summary>
    public static Signature Any { get; } = new([], -1, true);

    /// <summary>Parameters separated by spaces, those behind <c>?</c> optional.</summary>
    public static Signature Of(string parameters) => Parsed(parameters, keywords: true);

    /// <summary>The same, but none can be given by its name.</summary>
    public static Signature Positional(string parameters) => Parsed(parameters, keywords: false);

    private static Signature Parsed(string parameters, bool keywords)
    {
        var parts = parameters.Split('?');
        string[][] names = [.. parts.Select(part => part.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        return new Signature([.. names.SelectMany(part => part)], names[0].Length, keywords);
    }

    /// <summary>Puts each argument in its parameter's place.</summary>
    /// <param name="function">The function's name, for the message.</param>
    /// <param name="arguments">The arguments.</param>
    public Bound Bind(string function, CallArguments arguments)
    {
        if (_required < 0)
            return new Bound(function, [.. arguments.Positional], arguments);
        if (arguments.Positional.Count > _names.Length)
            throw new JinjaException($"{function} takes at most {_names.Length} arguments, not {arguments.Positional.Count}");
        var values = new object?[_names.Length];
        Array.Fill(values, Bound.Absent);
        for (var i = 0; i < arguments.Positional.Count; i++)
            values[i] = arguments.Positional[i];
        foreach (var (name, value) in arguments.Named)
        {
            var at = _keywords ? Array.IndexOf(_names, name) : -1;
            if (at < 0)
                throw new JinjaException($"{function} takes no argument called '{name}'");
            if (values[at] != Bound.Absent)
                throw new JinjaException($"{function} is given '{name}' twice");
            values[at] = value;
        }
        for (var i = 0; i < _required; i++)
        {
            if (values[i] == Bound.Absent)
                throw new JinjaException($"{function} needs the argument '{_names[i]}'");
        }
        return new Bound(function, values, arguments);
    }
}

/// <summary>Arguments in the order of their parameters.</summary>
/// <param name="Function">Whose they are, for messages.</param>
/// <param name="Values">The values, <see cref="Absent"/> where none was given.</param>
/// <param name="All">The arguments as they were given.</param>
internal sealed record Bound(string Function, object?[] Values, CallArguments All)
{
    public static object Absent { get; } = new();

    public object? this[int place] => Values[place];

    public bool Has(int place) => Values[place] != Absent;

    public object? Or(int place, object? absent) => Has(place) ? Values[place] : absent;

    public bool Flag(int place) => Has(place) && Truth.Of(Values[place]);

    public string Text(int place, string absent = "") =>
        !Has(place) ? absent
        : Values[place] is string text ? text
        : throw Wrong(place, "a string");

    public string? TextOrNone(int place) => Or(place, null) is null ? null : Text(place);

    /// <summary>A whole number that fits; Python clips longer ones in slices and counts, and so do we.</summary>
    public int Integer(int place, int absent = 0) =>
        !Has(place) ? absent
        : Numbers.Integer(Values[place]) is { } number ? (int)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, number))
        : throw Wrong(place, "a whole number");

    private JinjaException Wrong(int place, string wanted) =>
        Values[place] is Undefined undefined ? new JinjaException(undefined.Reason)
        : Values[place] is Markup ? new JinjaException("escaped text as an argument is not supported")
        : new JinjaException($"{Function} takes {wanted}, not {Printing.TypeName(Values[place])}, as argument {place + 1}");
}
