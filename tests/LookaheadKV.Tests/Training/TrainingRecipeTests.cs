using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using Xunit;

namespace LookaheadKV.Tests.Training;

public sealed class TrainingRecipeTests
{
    /// <summary>Ahn et al., ICLR 2026, section on training.</summary>
    [Fact]
    public void The_papers_recipes_are_the_papers()
    {
        Assert.Equal(new TrainingRecipe("paper-llama", 7600, 32, 1e-3, 16_384, 512), TrainingRecipe.PaperLlama);
        Assert.Equal(new TrainingRecipe("paper-qwen", 7600, 32, 2e-4, 16_384, 512), TrainingRecipe.PaperQwen);
    }

    [Fact]
    public void A_recipe_is_found_by_its_name()
    {
        Assert.All(TrainingRecipe.All, recipe => Assert.Same(recipe, TrainingRecipe.Named(recipe.Name)));
        Assert.Equal(4, TrainingRecipe.All.DistinctBy(recipe => recipe.Name).Count());
        Assert.Contains(
            "recipe \"none\" is unknown; use paper-llama, paper-qwen, small, texts",
            Assert.Throws<InputException>(() => TrainingRecipe.Named("none")).Message
        );
    }

    [Fact]
    public void Models_with_biases_or_norms_on_queries_get_qwens()
    {
        var plain = TinyDecoder.Config;
        Assert.Same(TrainingRecipe.PaperLlama, TrainingRecipe.Paper(plain));
        Assert.Same(TrainingRecipe.PaperLlama, TrainingRecipe.Paper(plain with { Biases = [LinearName.Output] }));
        Assert.Same(TrainingRecipe.PaperQwen, TrainingRecipe.Paper(plain with { QueryKeyNorm = QueryKeyNorm.Heads }));
        Assert.Same(TrainingRecipe.PaperQwen, TrainingRecipe.Paper(plain with { Biases = [LinearName.Query, LinearName.Key] }));
    }
}
