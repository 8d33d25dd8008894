using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>The rivals' names, the defaults of their papers, and what they refuse.</summary>
public sealed class RivalScorerTests
{
    [Fact]
    public void Defaults_are_those_of_the_papers()
    {
        using var draft = TinyDecoder.Create();
        Assert.Equal((8, 32, 8), (H2O.DefaultWindow, new Laq().Tokens, new Laq().Window));
        Assert.Equal((512, 4), (new ExpectedAttention().Horizon, new ExpectedAttention().Sinks));
        Assert.Equal((32, 32), (new SpecKV(draft).Tokens, new SpecKV(draft).Window));
        Assert.Equal((2048, 0), (new KVzip().Chunk, new KVzip().Instruction.Count));
        Assert.True(new Laq().ReadsBudget);
        Assert.False(new KVzip().ReadsBudget);
        Assert.Equal(
            ["h2o", "tova", "keynorm", "keydiff", "expected", "kvzip", "laq", "speckv"],
            new IScorer[]
            {
                new H2O(),
                new Tova(),
                new KeyNorm(),
                new KeyDiff(),
                new ExpectedAttention(),
                new KVzip(),
                new Laq(),
                new SpecKV(draft),
            }.Select(scorer => scorer.Name)
        );
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var prompt = Prompt(decoder, batch: 1);
        var rows = prompt.Layers[0];
        Refused("expected horizon 0 is below 1", () => new ExpectedAttention(Horizon: 0).Score(prompt.Context, 0, rows));
        Refused("expected sinks -1 is below 0", () => new ExpectedAttention(Sinks: -1).Score(prompt.Context, 0, rows));
        Refused("speckv window 0 is below 1", () => new SpecKV(decoder, Window: 0).Score(0, rows, rows));
        Refused("speckv tokens 0 is below 1", () => new SpecKV(decoder, Tokens: 0).Observe(prompt.Context));
        Refused("laq window 0 is below 1", () => new Laq(Window: 0).Score(prompt, 3));
        Refused("laq tokens -1 is below 0", () => new Laq(Tokens: -1).Score(prompt, 3));
        Refused("kvzip chunk 0 is below 1", () => new KVzip(0).Score(prompt, 3));
        Refused("token id 13 is outside the vocabulary", () => new KVzip { Instruction = [13] }.Score(prompt, 3));
    }

    [Fact]
    public void A_draft_model_of_another_vocabulary_is_refused()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var config = TinyDecoder.Config with { VocabularySize = 12 };
        using var draft = new Decoder(
            config,
            DecoderWeights.Collect(
                config,
                name => zeros(name is "model.embed_tokens.weight" or "lm_head.weight" ? [12, 8] : TinyDecoder.Shape(name))
            )
        );
        Refused("the draft model has 12 token ids, the model 13", () => new SpecKV(draft).Observe(Prompt(decoder, batch: 1).Context));
    }

    [Fact]
    public void Answers_follow_one_prompt()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var prompts = Prompt(decoder, batch: 2);
        Assert.Contains("batch of 2", Assert.Throws<ArgumentException>(() => new SpecKV(decoder).Observe(prompts.Context)).Message);
        Assert.Contains("batch of 2", Assert.Throws<ArgumentException>(() => new Laq().Score(prompts, 3)).Message);
    }

    private static WholePrompt Prompt(Decoder decoder, long batch)
    {
        var ids = ones(batch, 5, ScalarType.Int64);
        var layers = Enumerable.Range(0, 2).Select(_ => new LayerRows(ones(batch, 4, 5, 4), ones(batch, 2, 5, 4), ones(batch, 2, 5, 4)));
        return new(new PromptContext(decoder, ids, new Lazy<int[]>(() => [1])), [.. layers], NextToken: 1);
    }

    private static void Refused(string message, Action action) => Assert.Contains(message, Assert.Throws<InputException>(action).Message);

    private static void Refused(string message, Func<object> action) =>
        Refused(
            message,
            () =>
            {
                _ = action();
            }
        );
}
