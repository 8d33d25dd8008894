namespace LookaheadKV.Jinja;

/// <summary>What rendering a template may cost: templates come from strangers. With the defaults no template holds more than some 300 MB at once.</summary>
/// <param name="Steps">Expressions, statements and items gone through, at least 1.</param>
/// <param name="Characters">UTF-16 units of all the text that is made on the way, the output included, at least 1.</param>
/// <param name="Depth">Expressions, statements and macros within each other, at least 1.</param>
public sealed record Limits(long Steps = 5_000_000, long Characters = 1L << 26, int Depth = 1_000)
{
    /// <summary>Expressions, statements and items gone through, at least 1.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public long Steps
    {
        get;
        init => field = value.AtLeast(1, "steps of a template:", "5 million is the default");
    } = Steps.AtLeast(1, "steps of a template:", "5 million is the default");

    /// <summary>UTF-16 units of all the text that is made on the way, at least 1.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public long Characters
    {
        get;
        init => field = value.AtLeast(1, "characters of a template:", "2^26 is the default");
    } = Characters.AtLeast(1, "characters of a template:", "2^26 is the default");

    /// <summary>Expressions, statements and macros within each other, at least 1.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Depth
    {
        get;
        init => field = value.AtLeast(1, "depth of a template:", "1000 is the default");
    } = Depth.AtLeast(1, "depth of a template:", "1000 is the default");

    /// <summary>Room for a million tokens of conversation, each of whose characters is copied a dozen times on the way.</summary>
    public static Limits Default { get; } = new();
}
