namespace LookaheadKV.Jinja;

/// <summary>Names and their values, within an outer scope whose names are seen but not set.</summary>
/// <param name="outer">The outer scope; null for the variables that a template is given.</param>
internal sealed class Scope(Scope? outer)
{
    private static readonly object Unset = new();
    private readonly Dictionary<string, object?> _values = [];

    /// <summary>A scope for a body, without the names that it starts without.</summary>
    public static Scope For(Body body, Scope outer)
    {
        var scope = new Scope(outer);
        foreach (var name in body.Unset)
            scope._values[name] = Unset;
        return scope;
    }

    public void Set(string name, object? value) => _values[name] = value;

    public object? Get(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values.TryGetValue(name, out var value))
                return value == Unset ? Undefined.Name(name) : value;
        }
        return Undefined.Name(name);
    }

    private Scope? Outer { get; } = outer;
}
