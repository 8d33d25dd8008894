namespace LookaheadKV.Runtime;

/// <summary>How a decoder's layers run. All compute the same.</summary>
public enum Execution
{
    /// <summary>A call for each half of a layer, out of place, attention as the classes of Attention read: what the others are held against, and what gradients flow through.</summary>
    Reference,

    /// <summary>Whole layers, and whole decoding steps, as one compiled function each: the default.</summary>
    Compiled,

    /// <summary>
    /// The same functions, chains of pointwise operators merged into generated kernels (CUDA). The first calls at a new shape compile, and the last
    /// bits of a result may depend on how often a function has run.
    /// </summary>
    Fused,

    /// <summary>
    /// Prompts as <see cref="Compiled"/>; a session's decoding steps as <see cref="Fused"/>, recorded as a CUDA graph and launched as a whole (CUDA on Linux, half
    /// precision). Recording takes as long as some steps do: for answers of more than a few dozen tokens. Steps of several tokens run compiled.
    /// </summary>
    Graph,
}

/// <summary>Names of the ways to run, and the one that is taken unless told otherwise.</summary>
public static class Executions
{
    /// <summary>Environment variable that names the default: <c>reference</c>, <c>compiled</c>, <c>fused</c> or <c>graph</c>.</summary>
    public const string Variable = "LOOKAHEADKV_EXECUTION";

    /// <summary>What new decoders take: what <see cref="Variable"/> names, else <see cref="Execution.Compiled"/>.</summary>
    /// <exception cref="InputException">The variable holds another word.</exception>
    public static Execution Default =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } name ? Parse(name) : Execution.Compiled;

    /// <summary>The way of a name.</summary>
    /// <exception cref="InputException">There is no such way.</exception>
    public static Execution Parse(string name) =>
        name switch
        {
            "reference" => Execution.Reference,
            "compiled" => Execution.Compiled,
            "fused" => Execution.Fused,
            "graph" => Execution.Graph,
            _ => throw new InputException($"execution \"{name}\" is unknown; use reference, compiled, fused or graph."),
        };
}
