namespace LookaheadKV.Methods;

/// <summary>The methods that there are, in the order of tables. A new one is its file and its line here; nothing else names it.</summary>
public static class Catalogue
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Method> Methods { get; } =
    [
        Full.Method,
        RandomScore.Method,
        StreamingLlm.Method,
        H2O.Method,
        Tova.Method,
        SnapKV.Method,
        PyramidKV.Method,
        AdaKV.Method,
        KeyNorm.Method,
        KeyDiff.Method,
        ExpectedAttention.Method,
        KVzip.Method,
        Laq.Method,
        SpecKV.Method,
        LookaheadMethod.Method,
        Oracle.Method,
    ];

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Methods.Select(method => method.Name)];

    /// <summary>The method of that name; null where there is none.</summary>
    public static Method? Find(string name) => Methods.FirstOrDefault(method => method.Name == name);
}
