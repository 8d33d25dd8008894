namespace LookaheadKV.Jinja;

/// <summary>What rendering a template may cost: templates come from strangers.</summary>
/// <param name="Steps">Expressions, statements and items gone through, at least 1.</param>
/// <param name="Characters">UTF-16 units of all the text that is made on the way, the output included, at least 1.</param>
/// <param name="Depth">Expressions, statements and macros within each other, at least 1.</param>
public sealed record Limits(long Steps = 20_000_000, long Characters = 1L << 27, int Depth = 1_000)
{
    /// <summary>Room for a million tokens of conversation.</summary>
    public static Limits Default { get; } = new();
}
