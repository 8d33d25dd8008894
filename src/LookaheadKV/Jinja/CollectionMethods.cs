using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>The methods of dicts, lists and tuples that change nothing.</summary>
internal static class CollectionMethods
{
    public static Dictionary<string, Method<DictValue>> OfDict { get; } =
        new()
        {
            ["items"] = new(Signature.Empty, static (m, d, _) => View(m, "dict_items", Pairs(d))),
            ["keys"] = new(Signature.Empty, static (m, d, _) => View(m, "dict_keys", d.Keys)),
            ["values"] = new(Signature.Empty, static (m, d, _) => View(m, "dict_values", d.Values)),
            ["get"] = new(
                Signature.Positional("key ? default"),
                static (_, d, a) => d.TryGet(Key.Of(a[0]).Value, out var value) ? value : a.Or(1, null)
            ),
            ["copy"] = new(Signature.Empty, static (_, d, _) => new DictValue(d.Entries)),
        };

    public static Dictionary<string, Method<SequenceValue>> OfSequence { get; } =
        new()
        {
            ["count"] = new(
                Signature.Positional("value"),
                static (m, s, a) => (BigInteger)Iteration.Over(m, s).Count(item => Comparison.AreSame(item, a[0]))
            ),
            ["index"] = new(
                Signature.Positional("value"),
                static (m, s, a) =>
                    Iteration.Listed(m, s).FindIndex(item => Comparison.AreSame(item, a[0])) is var place and >= 0
                        ? (BigInteger)place
                        : throw new JinjaException("the value is not in the list")
            ),
            ["copy"] = new(Signature.Empty, static (_, s, _) => s.With(s.Items)),
        };

    /// <summary>The entries of a dict as tuples.</summary>
    public static IEnumerable<object?> Pairs(DictValue dict) => dict.Entries.Select(static e => new TupleValue([e.Key, e.Value]));

    private static DictView View(Machine machine, string type, IEnumerable<object?> items)
    {
        object?[] all = [.. items];
        machine.Step(all.Length);
        return new DictView(type, all);
    }
}
