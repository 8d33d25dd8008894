namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>A model family: what GGUF calls it, what Hugging Face calls it, and where the two store it differently.</summary>
/// <param name="Name">The value of <c>general.architecture</c>, and the prefix of the family's keys.</param>
/// <param name="Architecture">The class in transformers.</param>
/// <param name="ModelType">Its <c>model_type</c>.</param>
/// <param name="PairsInterleaved">Whether the rows of q and k stand with each rotary pair together; Hugging Face keeps the halves of a head apart.</param>
internal sealed record GgufFamily(string Name, string Architecture, string ModelType, bool PairsInterleaved)
{
    private static readonly GgufFamily[] Known =
    [
        new("llama", "LlamaForCausalLM", "llama", PairsInterleaved: true), // Mistral's files are of this family too
        new("qwen2", "Qwen2ForCausalLM", "qwen2", PairsInterleaved: false),
        new("qwen3", "Qwen3ForCausalLM", "qwen3", PairsInterleaved: false),
    ];

    private static readonly (string Gguf, string HuggingFace)[] OfModel =
    [
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("output", "lm_head"),
    ];

    private static readonly (string Gguf, string HuggingFace)[] OfLayer =
    [
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
        ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];

    /// <summary>The rotary factors of a model whose scaling is of the Llama 3 kind; they are no weights, and <see cref="GgufRope"/> reads them.</summary>
    public const string RotaryFactors = "rope_freqs.weight";

    /// <exception cref="InputException">The family is none of those that are read.</exception>
    public static GgufFamily Of(GgufMetadata metadata)
    {
        var name = metadata.Text("general.architecture");
        return Array.Find(Known, family => family.Name == name)
            ?? throw metadata.Wrong("general.architecture", string.Join(", ", Known.Select(family => family.Name)));
    }

    /// <summary>The key of a setting of this family.</summary>
    public string Key(string setting) => $"{Name}.{setting}";

    /// <summary>The Hugging Face name of a tensor; its own where it is none that a model of these families has.</summary>
    public static string HuggingFaceName(string name)
    {
        var dot = name.LastIndexOf('.');
        if (dot < 0 || name[dot..] is not (".weight" or ".bias"))
            return name;
        var (stem, suffix) = (name[..dot], name[dot..]);
        if (Renamed(OfModel, stem) is { } whole)
            return whole + suffix;
        var parts = stem.Split('.');
        return parts is ["blk", var layer, var part] && layer.All(char.IsAsciiDigit) && Renamed(OfLayer, part) is { } renamed
            ? $"model.layers.{layer}.{renamed}{suffix}"
            : name;

        static string? Renamed((string Gguf, string HuggingFace)[] table, string stem) =>
            Array.Find(table, row => row.Gguf == stem).HuggingFace;
    }
}
