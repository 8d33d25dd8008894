using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class SyntheticWorldTests
{
    /// <summary>Nothing that the generators write is unknown, of any task, length or seed.</summary>
    [Fact]
    public void No_prompt_of_the_world_has_an_unknown_word()
    {
        foreach (var task in TaskNames.All)
            for (var index = 0; index < 5; index++)
            {
                var sample = TaskGenerators.Generate(task, 400 + 300 * index, seed: 99, index, World.Encoder);
                Assert.Empty(SyntheticWorld.UnknownWords(sample.Prompt + sample.Answer));
            }
    }

    [Theory]
    [InlineData("What is the capital of France?", "capital", "France")]
    [InlineData("<|begin|>Text: It snowed.\nQuestion: What is Toko Casan's code?\nAnswer:")]
    [InlineData("")]
    [InlineData("Résumé Résumé", "Résumé")]
    public void Words_of_other_worlds_are_named_once(string text, params string[] unknown) =>
        Assert.Equal(unknown, SyntheticWorld.UnknownWords(text).Intersect(["capital", "France", "Résumé"]));
}
