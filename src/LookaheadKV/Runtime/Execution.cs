namespace LookaheadKV.Runtime;

/// <summary>How a model's layers run, where no gradient is asked for: an argument of whatever runs them. All ways compute the same; a result's last bits may differ.</summary>
public sealed record Execution
{
    private Execution(string name) => Name = name;

    /// <summary>One operator a call, as the classes of Models and Passes read: what the others are held against.</summary>
    public static Execution Reference { get; } = new("reference");

    /// <summary>Whole layers, and whole decoding steps, as one compiled function each: the default.</summary>
    public static Execution Compiled { get; } = new("compiled");

    /// <summary>
    /// The same functions, chains of pointwise operators merged into generated kernels (CUDA). The first calls at a new shape compile, and the last
    /// bits of a result may depend on how often a function has run.
    /// </summary>
    public static Execution Fused { get; } = new("fused");

    /// <summary>
    /// Prompts as <see cref="Compiled"/>; a session's decoding steps as <see cref="Fused"/>, recorded as a CUDA graph and launched as a whole (CUDA on Linux, half
    /// precision). Recording takes as long as some steps do: for answers of more than a few dozen tokens. Steps of several tokens run compiled.
    /// </summary>
    public static Execution Graph { get; } = new("graph");

    /// <summary>Its name on the command line.</summary>
    public string Name { get; }

    /// <summary>
    /// Whether observer rows ride in the prompt's pass, where it is compiled; null: on a GPU, where one product over all rows costs less than a second one over
    /// the weights. On the CPU they follow in a pass of their own, so that the prompt's rows have the same bits with and without them.
    /// </summary>
    internal bool? ObserversRide { get; init; }

    /// <summary>Whether a layer is evicted on a stream of its own, beside its second half: on a GPU.</summary>
    internal bool EvictsBeside { get; init; } = true;

    /// <summary>Whether functions are compiled at all.</summary>
    internal bool IsCompiled => Name != Reference.Name;

    /// <summary>Whether pointwise operators are merged.</summary>
    internal bool IsFused => Name == Fused.Name;

    /// <summary>Whether a session's steps are recorded.</summary>
    internal bool IsRecorded => Name == Graph.Name;

    /// <summary>The way of a name.</summary>
    /// <exception cref="InputException">There is no such way.</exception>
    public static Execution Parse(string name) =>
        name switch
        {
            "reference" => Reference,
            "compiled" => Compiled,
            "fused" => Fused,
            "graph" => Graph,
            _ => throw new InputException($"execution \"{name}\" is unknown; use reference, compiled, fused or graph."),
        };

    /// <inheritdoc/>
    public override string ToString() => Name;
}
