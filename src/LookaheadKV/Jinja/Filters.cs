namespace LookaheadKV.Jinja;

/// <summary>A filter: what stands behind <c>|</c>.</summary>
internal sealed record Filter(Signature Signature, Func<Machine, object?, Bound, object?> Body);

/// <summary>All filters by their names.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> All = new(TextFilters.All.Concat(ValueFilters.All).Concat(SequenceFilters.All));

    // jinja2 has them; prompts have no use for them.
    private static readonly string[] NotHere = ["filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"];

    public static bool IsKnown(string name) => All.ContainsKey(name) || NotHere.Contains(name);

    /// <summary>The filter of that name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="line">Where it stands in the template; 0: known while it is evaluated.</param>
    public static Filter Named(string name, int line = 0) =>
        All.TryGetValue(name, out var filter) ? filter
        : NotHere.Contains(name) ? throw new JinjaException($"the filter '{name}' is not supported", line)
        : throw new JinjaException($"there is no filter '{name}'", line);

    public static object? Apply(Machine machine, string name, object? value, CallArguments arguments)
    {
        var filter = Named(name);
        machine.Step();
        return filter.Body(machine, value, filter.Signature.Bind(name, arguments));
    }
}
