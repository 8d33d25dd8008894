namespace LookaheadKV.Models.Families;

/// <summary>Qwen2 and 2.5 (Yang et al., arXiv 2407.10671): Llama with biases on queries, keys and values.</summary>
internal static class Qwen2
{
    public static ModelFamily Family { get; } =
        new()
        {
            Architecture = "Qwen2ForCausalLM",
            Type = "qwen2",
            Vocabulary = 151_936,
            Intermediate = 22_016,
            KeyValueHeads = 32,
            Positions = 32_768,
            Biases = [LinearName.Query, LinearName.Key, LinearName.Value],
        };
}
