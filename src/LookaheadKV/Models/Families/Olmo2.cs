namespace LookaheadKV.Models.Families;

/// <summary>OLMo 2 (OLMo Team, arXiv 2501.00656): norms of what a block adds, not of what it reads, and of all query heads and all key heads together.</summary>
internal static class Olmo2
{
    public static ModelFamily Family { get; } =
        new()
        {
            Architecture = "Olmo2ForCausalLM",
            Type = "olmo2",
            Vocabulary = 50_304,
            Intermediate = 11_008,
            Positions = 2_048,
            Epsilon = 1e-5,
            EndTokens = [50_279],
            BiasKeys = [ModelFamily.AttentionBias],
            Norms = BlockNorms.After,
            QueryKeyNorm = QueryKeyNorm.Whole,
            WeightNames = WeightTable.Llama.WithNorms(
                ("post_attention_layernorm", NormName.AttentionOut),
                ("post_feedforward_layernorm", NormName.FeedForwardOut)
            ),
        };
}
