using LookaheadKV.Models;

namespace LookaheadKV.Training;

/// <summary>A named way to train modules. The paper's are those of Ahn et al., ICLR 2026; what it does not state is <see cref="LookaheadTrainerOptions"/>' own.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Steps">Steps of Adam.</param>
/// <param name="Batch">Examples a step.</param>
/// <param name="LearningRate">Peak rate.</param>
/// <param name="MaxPrompt">Longest prompt in tokens.</param>
/// <param name="MaxResponse">Longest response in tokens.</param>
public sealed record TrainingRecipe(string Name, int Steps, int Batch, double LearningRate, int MaxPrompt, int MaxResponse)
{
    /// <summary>Steps of Adam, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int Steps
    {
        get;
        init => field = value.AtLeast(1, "training steps:", "the paper takes 7600");
    } = Steps.AtLeast(1, "training steps:", "the paper takes 7600");

    /// <summary>Examples a step, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int Batch
    {
        get;
        init => field = value.AtLeast(1, "examples a step:", "the paper takes 32");
    } = Batch.AtLeast(1, "examples a step:", "the paper takes 32");

    /// <summary>Peak rate, above 0.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public double LearningRate
    {
        get;
        init => field = value.AboveZero("learning rate", "the paper uses 1e-3 and 2e-4");
    } = LearningRate.AboveZero("learning rate", "the paper uses 1e-3 and 2e-4");

    /// <summary>Longest prompt in tokens, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int MaxPrompt
    {
        get;
        init => field = value.AtLeast(1, "longest prompt:", "the paper takes 16384 tokens");
    } = MaxPrompt.AtLeast(1, "longest prompt:", "the paper takes 16384 tokens");

    /// <summary>Longest response in tokens, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int MaxResponse
    {
        get;
        init => field = value.AtLeast(1, "longest response:", "the paper takes 512 tokens");
    } = MaxResponse.AtLeast(1, "longest response:", "the paper takes 512 tokens");

    /// <summary>The paper's for Llama: 7,600 steps of 32 prompts of up to 16K tokens at 1e-3.</summary>
    public static TrainingRecipe PaperLlama { get; } = new("paper-llama", 7600, 32, 1e-3, 16_384, 512);

    /// <summary>The paper's for Qwen: the same at 2e-4.</summary>
    public static TrainingRecipe PaperQwen { get; } = PaperLlama with { Name = "paper-qwen", LearningRate = 2e-4 };

    /// <summary>What suits models of a few million parameters on the synthetic tasks.</summary>
    public static TrainingRecipe Small { get; } = new("small", 1000, 16, 1e-3, 16_384, 512);

    /// <summary>What suits prompts made of texts (<see cref="Texts.TextRecipe"/>): some hundred steps of short answers.</summary>
    public static TrainingRecipe FromTexts { get; } = new("texts", 400, 64, 1e-3, 16_384, 96);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<TrainingRecipe> All { get; } = [PaperLlama, PaperQwen, Small, FromTexts];

    /// <summary>A recipe by its name.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static TrainingRecipe Named(string name) =>
        All.FirstOrDefault(recipe => recipe.Name == name)
        ?? throw new InputException($"recipe \"{name}\" is unknown; use {string.Join(", ", All.Select(recipe => recipe.Name))}.");

    /// <summary>The paper's recipe for a model: Qwen's where queries have biases or norms, as Qwen's do, else Llama's.</summary>
    public static TrainingRecipe Paper(DecoderConfig config) =>
        config.QueryKeyNorm == QueryKeyNorm.Heads || config.Biases.Contains(LinearName.Query) ? PaperQwen : PaperLlama;
}
