using LookaheadKV.Lookahead;
using LookaheadKV.Models;

namespace LookaheadKV.Methods;

/// <summary>What a method's scorer is made from: the values of its parameters, and what does not go into a text.</summary>
public sealed class Arguments
{
    private readonly IReadOnlyDictionary<string, object> _values;
    private readonly PolicyParts _parts;

    internal Arguments(IReadOnlyDictionary<string, object> values, PolicyParts parts)
    {
        (_values, _parts) = (values, parts);
    }

    /// <summary>The trained lookahead module.</summary>
    /// <exception cref="InputException">None is given.</exception>
    public LookaheadModule Module => _parts.Module?.Invoke() ?? throw Missing("a trained lookahead module");

    /// <summary>The draft model.</summary>
    /// <exception cref="InputException">None is given.</exception>
    public Decoder Draft => _parts.Draft?.Invoke() ?? throw Missing("a draft model");

    /// <summary>Seed of what is drawn, unless the text has one.</summary>
    public long Seed => _parts.Seed;

    /// <summary>A parameter's value, its default where none is given.</summary>
    public T Of<T>(Parameter<T> parameter) => _values.TryGetValue(parameter.Name, out var value) ? (T)value : parameter.Default;

    private static InputException Missing(string part) => new($"the policy needs {part}; give one among its parts.");
}
