namespace LookaheadKV.Models.Families;

/// <summary>Mistral (Jiang et al., arXiv 2310.06825): Llama with a sliding window.</summary>
internal static class Mistral
{
    public static ModelFamily Family { get; } =
        new()
        {
            Architecture = "MistralForCausalLM",
            Type = "mistral",
            Vocabulary = 32_000,
            Intermediate = 14_336,
            KeyValueHeads = 8,
            Positions = 131_072,
            EndTokens = [2],
            Refused = ["attention_bias"],
            SlidingWindow = 4_096,
        };
}
