namespace LookaheadKV.Models.Families;

/// <summary>Qwen3 (Yang et al., arXiv 2505.09388): Llama with a norm of each head of queries and keys.</summary>
internal static class Qwen3
{
    public static ModelFamily Family { get; } =
        new()
        {
            Architecture = "Qwen3ForCausalLM",
            Type = "qwen3",
            Vocabulary = 151_936,
            Intermediate = 22_016,
            KeyValueHeads = 32,
            HeadSize = 128,
            Positions = 32_768,
            QueryKeyNorm = QueryKeyNorm.Heads,
            BiasKeys = [ModelFamily.AttentionBias],
        };
}
