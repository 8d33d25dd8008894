using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Tests.Evaluation.Tasks;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

public class PromptFormTests
{
    // Its files put the begin token before raw prompts.
    private static readonly Tokenizer Begins = new(
        World.Tokenizer.Definition.With(new TokenizerConfig { BeginToken = Templates.Begin, AddsBegin = true })
    );

    private static readonly PromptForm Plain = new(Begins, null);
    private static readonly PromptForm Chat = new(Begins, ChatTemplates.ChatMl);

    private static readonly EvaluationSample Sample = new(
        "rain",
        string.Concat(Enumerable.Range(0, 60).Select(i => $"The rain fell over the hill number {i}. ")) + "\nWhere did the rain fall?",
        ["hill"],
        StringMatch.All,
        MaxNewTokens: 5
    )
    {
        Question = "\nWhere did the rain fall?",
        AnswerPrefix = " Answer: over the",
    };

    [Fact]
    public void PlainPromptsAreTheirTextBehindTheBeginToken() =>
        Assert.Equal($"{Templates.Begin}{Sample.Prompt} Answer: over the", Decoded(Plain.Prompt(Sample, 100_000, QueryMode.Aware)));

    [Fact]
    public void WithoutAWordFromTheFilesNoBeginTokenIsAdded() =>
        Assert.Equal(
            World.Tokenizer.Encode(Sample.Prompt + " Answer: over the"),
            new PromptForm(World.Tokenizer, null).Prompt(Sample, 100_000, QueryMode.Aware).Scored
        );

    [Fact]
    public void ChatPromptsOpenTheAnswerWithItsPrefix()
    {
        Assert.Equal(
            ChatTemplates.ChatMl.Render([ChatMessage.User(Sample.Prompt)]) + "Answer: over the",
            Decoded(Chat.Prompt(Sample, 100_000, QueryMode.Aware))
        );
        Assert.Equal(
            Decoded(Plain.Prompt(Sample, 100_000, QueryMode.Aware)),
            Decoded(Chat.Prompt(Sample with { Chat = false }, 100_000, QueryMode.Aware))
        );
    }

    [Fact]
    public void TheQuestionAndWhatFollowsItCanBeKeptBack()
    {
        foreach (var form in new[] { Plain, Chat })
        {
            var (whole, parts) = (form.Prompt(Sample, 100_000, QueryMode.Aware), form.Prompt(Sample, 100_000, QueryMode.Agnostic));
            Assert.Equal(whole.Scored, parts.Scored.Concat(parts.Question));
            Assert.Empty(whole.Question);
            Assert.EndsWith("number 59. ", World.Tokenizer.Decode(parts.Scored).TrimEnd('\n'));
            Assert.StartsWith("Where did the rain fall?", World.Tokenizer.Decode(parts.Question).TrimStart('\n'));
        }
        Assert.Contains(
            "query-aware",
            Assert.Throws<InputException>(() => Plain.Prompt(Sample with { Question = "" }, 9999, QueryMode.Agnostic)).Message
        );
    }

    [Theory]
    [InlineData(40)]
    [InlineData(41)]
    [InlineData(200)]
    [InlineData(400)]
    public void LongPromptsLoseTheirMiddleAndKeepEverythingAroundThem(int length)
    {
        foreach (var form in new[] { Plain, Chat })
        {
            var prompt = form.Prompt(Sample, length, QueryMode.Aware);
            Assert.InRange(prompt.Scored.Length, length - 8, length);
            var text = Decoded(prompt);
            Assert.StartsWith(form == Chat ? "<|im_start|>" : Templates.Begin, text);
            Assert.EndsWith(form == Chat ? "assistant\nAnswer: over the" : "fall? Answer: over the", text);
        }
    }

    [Fact]
    public void ALengthThatHoldsNoPromptIsRefused() =>
        Assert.Contains(
            "length 5 is too short for rain",
            Assert.Throws<InputException>(() => Plain.Prompt(Sample, 5, QueryMode.Aware)).Message
        );

    [Fact]
    public void AnswersAreScoredAsTextWithoutSpecialTokens()
    {
        var prompt = Plain.Prompt(Sample with { Metric = (prediction, _) => prediction == " hill" ? 1 : 0.25 }, 9999, QueryMode.Aware);
        Assert.Equal(1, prompt.Score(World.Tokenizer.Encode(" hill" + Templates.End)));
        Assert.Equal(0.25, prompt.Score(World.Tokenizer.Encode(" valley" + Templates.End)));
        Assert.Null(prompt.Guess);
        Assert.Equal(5, prompt.AnswerTokens);
    }

    private static string Decoded(MeasuredPrompt prompt) => World.Tokenizer.Decode(prompt.Scored);
}
