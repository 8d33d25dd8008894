using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Lookahead;

/// <summary>The predicted importance beside attention by its definition.</summary>
public sealed class LookaheadScoreTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 3)]
    public void A_score_is_the_mean_attention_of_the_lookahead_rows(int length, int tokens)
    {
        using var scope = NewDisposeScope();
        var rows = new PlainRows(seed: 3, batch: 2, heads: 4, kvHeads: 2, length + tokens, size: 4);
        var (prompt, lookahead) = (rows.Part(0, length), rows.Part(length, tokens));
        var score = LookaheadScore.Score(prompt.Keys, lookahead);
        Assert.Equal(ScalarType.Float32, score.dtype);
        Assert.InRange(PlainRows.Distance(score, 2, 4, length, Mean), 0, 1e-6);
        // Rows that rode in the prompt's pass have the keys of both as one.
        var joined = LookaheadScore.Score(prompt.Keys, lookahead with { JoinedKeys = rows.Tensors.Keys });
        Assert.True(joined.eq(score).all().item<bool>());

        double Mean(int b, int h, int j) => Enumerable.Range(length, tokens).Average(i => rows.Attention(b, h, i)[j]);
    }

    [Fact]
    public void The_scorer_asks_with_its_module_and_scores_as_the_function_does()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config);
        var scorer = new LookaheadScore(module);
        Assert.Equal("lookahead", scorer.Name);
        Assert.Same(module, scorer.Observe(new(decoder, decoder.Ids([1]), new(() => []))));
        var rows = new PlainRows(seed: 4, batch: 1, heads: 4, kvHeads: 2, length: 6, size: 4);
        var (prompt, observer) = (rows.Part(0, 4), rows.Part(4, 2));
        Assert.True(scorer.Score(1, prompt, observer).eq(LookaheadScore.Score(prompt.Keys, observer)).all().item<bool>());
    }
}
