namespace LookaheadKV.Models.Families;

/// <summary>The families that are implemented.</summary>
internal static class ModelFamilies
{
    /// <summary>All of them; a shape that several could have is the first one's.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } = [Llama.Family, Mistral.Family, Qwen2.Family, Qwen3.Family, Olmo2.Family];
}
