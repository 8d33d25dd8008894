using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Tests.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

public sealed class QuerySplitTests
{
    public static TheoryData<string> Tasks => [.. TaskNames.All];

    [Theory]
    [MemberData(nameof(Tasks))]
    public void The_parts_are_the_context_and_its_question(string task)
    {
        var encoder = new PieceEncoder(World.Tokenizer.Encode);
        var sample = TaskGenerators.Generate(task, length: 300, seed: 2, index: 1, encoder);
        var whole = QuerySplit.Of(sample, QueryMode.Aware, encoder);
        Assert.Equal(sample.PromptIds, whole.Scored);
        Assert.Empty(whole.Question);
        var (scored, question) = QuerySplit.Of(sample, QueryMode.Agnostic, encoder);
        Assert.Equal(sample.PromptIds, scored.Concat(question));
        var asked = World.Tokenizer.Decode(question, skipSpecial: false);
        Assert.Contains("Question:", asked);
        Assert.EndsWith("Answer:", asked);
        // Where the question stands in front too, the context still holds it; the last one is what is split off.
        Assert.Equal(1, asked.Split("Question:").Length - 1);
        Assert.True(scored.Length > 200 && question.Length < 60, $"{scored.Length} and {question.Length}");
    }

    [Fact]
    public void A_prompt_without_a_question_cannot_be_split()
    {
        var sample = new TaskSample("poem", "no such thing", " x", [1, 2], [3]);
        var encoder = new PieceEncoder(_ => [0]);
        var error = Assert.Throws<InputException>(() => QuerySplit.Of(sample, QueryMode.Agnostic, encoder));
        Assert.Contains("poem prompt has no \"Question:\"", error.Message);
        Assert.Equal([1, 2], QuerySplit.Of(sample, QueryMode.Aware, encoder).Scored);
    }

    [Theory]
    [InlineData("ab", new[] { 1, 2 }, new[] { 3 })]
    [InlineData("abc", new[] { 1, 2, 3 }, new int[0])]
    [InlineData("", new int[0], new[] { 1, 2, 3 })]
    [InlineData("axc", new[] { 1 }, new[] { 2, 3 })] // tokenized otherwise at the border: what both share counts
    [InlineData("abcd", new[] { 1, 2, 3 }, new int[0])]
    public void The_parts_meet_at_the_last_shared_token(string context, int[] scored, int[] question)
    {
        var parts = QuerySplit.At(context, [1, 2, 3], text => [.. text.Select(c => c - 'a' + 1)]);
        Assert.Equal(scored, parts.Scored);
        Assert.Equal(question, parts.Question);
    }
}
