using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;

namespace LookaheadKV.Methods;

/// <summary>
/// A policy as it is written on a command line: a method's name, and in brackets what differs from the method's defaults, such as
/// <c>snapkv[window=16,pool=max:7]</c>.
/// </summary>
public sealed class PolicyText
{
    private readonly IReadOnlyDictionary<string, object> _values; // of the method's own parameters
    private readonly IReadOnlyList<Func<EvictionPolicy, EvictionPolicy>> _changes; // in the modifiers' order

    private PolicyText(
        string name,
        Method method,
        IReadOnlyDictionary<string, object> values,
        IReadOnlyList<Func<EvictionPolicy, EvictionPolicy>> changes
    )
    {
        (Name, Method, _values, _changes) = (name, method, values, changes);
    }

    /// <summary>What may be written, for help texts.</summary>
    public static string Help { get; } =
        $"{string.Join(", ", Catalogue.Names)}; options in brackets, such as {SnapKV.Method.Name}[window=16,pool=max:7]";

    /// <summary>The text itself, without white space: what tables call the policy.</summary>
    public string Name { get; }

    /// <summary>The method that it names.</summary>
    public Method Method { get; }

    /// <summary>Whether <see cref="Build"/> will ask for a trained lookahead module.</summary>
    public bool NeedsModule => Method.Needs.HasFlag(Needs.Modules);

    /// <summary>Whether <see cref="Build"/> will ask for a draft model.</summary>
    public bool NeedsDraft => Method.Needs.HasFlag(Needs.Draft);

    /// <summary>Reads one policy.</summary>
    /// <exception cref="InputException">The name, an option or its value is not one of those allowed; the message lists them.</exception>
    public static PolicyText Parse(string text) => Parse(text, null);

    /// <summary>Reads one policy.</summary>
    /// <param name="text">A name, and options in brackets.</param>
    /// <param name="own">Methods beside those here, by their classes' names; their options are what their constructors ask for.</param>
    /// <exception cref="InputException">The name, an option or its value is not one of those allowed; the message lists them.</exception>
    public static PolicyText Parse(string text, OwnScorers? own)
    {
        var written = string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
        var open = written.IndexOf('[');
        var name = open < 0 ? written : written[..open];
        var method =
            Catalogue.Find(name)
            ?? own?.Find(name)?.Method
            ?? throw new InputException(
                $"unknown policy \"{name}\"; allowed: {string.Join(", ", Catalogue.Names.Concat(own?.Names ?? []))}."
            );
        if (open < 0)
            return new PolicyText(written, method, new Dictionary<string, object>(), []);
        if (!written.EndsWith(']') || written.IndexOf(']') != written.Length - 1)
            throw new InputException($"policy \"{written}\": the brackets do not close at the end; write {name}[key=value,key=value].");
        return WithOptions(written, method, written[(open + 1)..^1].Split(',', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Reads a list separated by commas; those within brackets do not separate. <c>all</c> stands for every method with its defaults.</summary>
    /// <exception cref="InputException">A policy is wrong or comes twice, or there is none.</exception>
    public static IReadOnlyList<PolicyText> ParseList(string text) => ParseList(text, null);

    /// <summary>Reads a list separated by commas; those within brackets do not separate. <c>all</c> stands for every method with its defaults.</summary>
    /// <param name="text">The list.</param>
    /// <param name="own">Methods beside those here.</param>
    /// <exception cref="InputException">A policy is wrong or comes twice, or there is none.</exception>
    public static IReadOnlyList<PolicyText> ParseList(string text, OwnScorers? own)
    {
        var policies = Split(text)
            .Select(part => part.Trim())
            .Where(part => part.Length > 0)
            .SelectMany(part => part == "all" ? Catalogue.Names : [part])
            .Select(part => Parse(part, own))
            .ToList();
        if (policies.Count == 0)
            throw new InputException($"no policy is named; allowed: {string.Join(", ", Catalogue.Names)}.");
        if (policies.GroupBy(policy => policy.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"policy \"{twice.Key}\" comes twice; name it once.");
        return policies;
    }

    /// <summary>The policy itself, without a budget.</summary>
    /// <param name="parts">What some methods need beside the text.</param>
    /// <exception cref="InputException">The method needs a part that is not given.</exception>
    public EvictionPolicy Build(PolicyParts? parts = null) =>
        Changed(Method.Policy(new Arguments(_values, parts ?? new())), _changes) with
        {
            Name = Name,
        };

    private static PolicyText WithOptions(string written, Method method, IEnumerable<string> options)
    {
        var values = new Dictionary<string, object>();
        var changes = new Dictionary<string, Func<EvictionPolicy, EvictionPolicy>>();
        foreach (var option in options)
        {
            var (key, value) = option.Split('=', 2) is [var left, var right] ? (left, right) : (option, "");
            var parameter = method.Parameters.FirstOrDefault(parameter => parameter.Name == key);
            var modifier = method.Modifiers.FirstOrDefault(modifier => modifier.Name == key);
            if (parameter is null && modifier is null)
                throw new InputException($"policy \"{written}\": unknown option \"{key}\"; allowed: {Allowed(method)}.");
            if (values.ContainsKey(key) || changes.ContainsKey(key))
                throw new InputException($"policy \"{written}\": option \"{key}\" comes twice; give it once.");
            if (parameter is not null)
                values[key] = parameter.Read(value) ?? throw Wrong(parameter.Allowed);
            if (modifier is not null && (parameter is null || modifier.GoesWithParameter))
                changes[key] = modifier.Read(value) ?? throw Wrong(modifier.Allowed);

            InputException Wrong(string allowed) => new($"policy \"{written}\": {key}={value} is not allowed; give {allowed}.");
        }
        var text = new PolicyText(
            written,
            method,
            values,
            [.. Modifier.All.Select(modifier => changes.GetValueOrDefault(modifier.Name)).OfType<Func<EvictionPolicy, EvictionPolicy>>()]
        );
        if (changes.ContainsKey(Modifier.Heads.Name) && Changed(method.Defaults, text._changes).Layers is LayerAllocation.Global)
            throw new InputException(
                changes.ContainsKey(Modifier.Layers.Name)
                    ? $"policy \"{written}\": a global budget is divided among heads by itself; leave {Modifier.Heads.Name} away."
                    : $"policy \"{written}\": {method.Name}'s budget is global; give {Modifier.Layers.Name}=uniform or pyramid to divide it among {Modifier.Heads.Name}."
            );
        return text;
    }

    private static EvictionPolicy Changed(EvictionPolicy policy, IEnumerable<Func<EvictionPolicy, EvictionPolicy>> changes) =>
        changes.Aggregate(policy, (changed, change) => change(changed));

    private static string Allowed(Method method)
    {
        string[] names =
        [
            .. method.Modifiers.Select(modifier => modifier.Name).Union(method.Parameters.Select(parameter => parameter.Name)),
        ];
        return names.Length == 0 ? "none" : string.Join(", ", names);
    }

    private static IEnumerable<string> Split(string text)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch
            {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            if (text[i] != ',' || depth > 0)
                continue;
            yield return text[start..i];
            start = i + 1;
        }
        yield return text[start..];
    }
}
