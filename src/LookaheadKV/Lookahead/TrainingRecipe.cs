using LookaheadKV.Models;

namespace LookaheadKV.Lookahead;

/// <summary>A named way to train modules. The paper's are those of Ahn et al., ICLR 2026; what it does not state is <see cref="LookaheadTrainerOptions"/>' own.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Steps">Steps of Adam.</param>
/// <param name="Batch">Examples a step.</param>
/// <param name="LearningRate">Peak rate.</param>
/// <param name="MaxPrompt">Longest prompt in tokens.</param>
/// <param name="MaxResponse">Longest response in tokens.</param>
public sealed record TrainingRecipe(string Name, int Steps, int Batch, double LearningRate, int MaxPrompt, int MaxResponse)
{
    /// <summary>The paper's for Llama: 7,600 steps of 32 prompts of up to 16K tokens at 1e-3.</summary>
    public static TrainingRecipe PaperLlama { get; } = new("paper-llama", 7600, 32, 1e-3, 16_384, 512);

    /// <summary>The paper's for Qwen: the same at 2e-4.</summary>
    public static TrainingRecipe PaperQwen { get; } = PaperLlama with { Name = "paper-qwen", LearningRate = 2e-4 };

    /// <summary>What suits models of a few million parameters on the synthetic tasks.</summary>
    public static TrainingRecipe Small { get; } = new("small", 1000, 16, 1e-3, 16_384, 512);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<TrainingRecipe> All { get; } = [PaperLlama, PaperQwen, Small];

    /// <summary>A recipe by its name.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static TrainingRecipe Named(string name) =>
        All.FirstOrDefault(recipe => recipe.Name == name)
        ?? throw new InputException($"recipe \"{name}\" is unknown; use {string.Join(", ", All.Select(recipe => recipe.Name))}.");

    /// <summary>The paper's recipe for a model: Qwen's where queries have biases or norms, as Qwen's do, else Llama's.</summary>
    public static TrainingRecipe Paper(DecoderConfig config) =>
        config.QueryKeyNorm || config.Biases.Contains(LinearName.Query) ? PaperQwen : PaperLlama;
}
