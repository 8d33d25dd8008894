namespace LookaheadKV.Models;

/// <summary>The seven linear maps of a decoder layer, with the names Hugging Face and PEFT give them.</summary>
public enum LinearName
{
    /// <summary><c>self_attn.q_proj</c>, [H·D, E].</summary>
    Query,

    /// <summary><c>self_attn.k_proj</c>, [G·D, E].</summary>
    Key,

    /// <summary><c>self_attn.v_proj</c>, [G·D, E].</summary>
    Value,

    /// <summary><c>self_attn.o_proj</c>, [E, H·D].</summary>
    Output,

    /// <summary><c>mlp.gate_proj</c>, [F, E].</summary>
    Gate,

    /// <summary><c>mlp.up_proj</c>, [F, E].</summary>
    Up,

    /// <summary><c>mlp.down_proj</c>, [E, F].</summary>
    Down,
}

/// <summary>Names and shapes of the linear maps.</summary>
public static class LinearNames
{
    /// <summary>All seven, in file order.</summary>
    public static IReadOnlyList<LinearName> All { get; } = Enum.GetValues<LinearName>();

    /// <summary>The module path inside a layer, such as <c>self_attn.q_proj</c>.</summary>
    public static string Path(this LinearName name) =>
        name switch
        {
            LinearName.Query => "self_attn.q_proj",
            LinearName.Key => "self_attn.k_proj",
            LinearName.Value => "self_attn.v_proj",
            LinearName.Output => "self_attn.o_proj",
            LinearName.Gate => "mlp.gate_proj",
            LinearName.Up => "mlp.up_proj",
            LinearName.Down => "mlp.down_proj",
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

    /// <summary>(outputs, inputs) of a linear map in a model of this shape.</summary>
    public static (int Out, int In) Shape(this LinearName name, DecoderConfig c) =>
        name switch
        {
            LinearName.Query => (c.QueryHeads * c.HeadSize, c.Width),
            LinearName.Key or LinearName.Value => (c.KeyValueHeads * c.HeadSize, c.Width),
            LinearName.Output => (c.Width, c.QueryHeads * c.HeadSize),
            LinearName.Gate or LinearName.Up => (c.IntermediateSize, c.Width),
            LinearName.Down => (c.Width, c.IntermediateSize),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}
