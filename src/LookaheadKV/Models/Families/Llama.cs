namespace LookaheadKV.Models.Families;

/// <summary>Llama 1 to 3 (Touvron et al., arXiv 2302.13971), and the models that took its layout over.</summary>
internal static class Llama
{
    public static ModelFamily Family { get; } =
        new()
        {
            Architecture = "LlamaForCausalLM",
            Type = "llama",
            Vocabulary = 32_000,
            Intermediate = 11_008,
            Positions = 2_048,
            EndTokens = [2],
            BiasKeys = [ModelFamily.AttentionBias, ("mlp_bias", [LinearName.Gate, LinearName.Up, LinearName.Down])],
        };
}
