using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Lookahead;

/// <summary>How rows become one score, beside plain numbers.</summary>
public class RowReductionTests
{
    [Theory]
    [InlineData(RowReduction.Mean)]
    [InlineData(RowReduction.Max)]
    [InlineData(RowReduction.Power)]
    public void A_reduction_is_its_definition(RowReduction reduction)
    {
        using var scope = NewDisposeScope();
        var attention = rand([2, 3, 4, 5], ScalarType.Float64, generator: new Generator(1, CPU)).softmax(-1);
        var reduced = reduction.Reduce(attention);
        Assert.Equal([2, 3, 5], reduced.shape);
        for (var b = 0; b < 2; b++)
        for (var h = 0; h < 3; h++)
        for (var j = 0; j < 5; j++)
        {
            double[] column = [.. Enumerable.Range(0, 4).Select(i => attention[b, h, i, j].item<double>())];
            var expected = reduction switch
            {
                RowReduction.Mean => column.Average(),
                RowReduction.Max => column.Max(),
                _ => Math.Pow(column.Average(a => Math.Pow(a, 4)), 0.25),
            };
            Assert.Equal(expected, reduced[b, h, j].item<double>(), 12);
        }
    }

    [Fact]
    public void Weights_that_underflow_have_gradients_all_the_same()
    {
        using var scope = NewDisposeScope();
        foreach (var reduction in Enum.GetValues<RowReduction>())
        {
            var logits = tensor(new float[] { 0, 0, -300, 0, -200, -100 }).view(1, 1, 2, 3).requires_grad_();
            reduction.Reduce(logits.softmax(-1)).sum().backward();
            Assert.True(logits.grad!.isfinite().all().item<bool>(), reduction.ToString());
        }
    }

    [Fact]
    public void A_modules_reduction_is_that_of_its_score_and_its_loss()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var losses = new List<float>();
        using var target = LookaheadTarget.Compute(
            decoder,
            [
                [1, 5, 2, 9, 4, 3],
            ],
            [
                [7, 2],
            ]
        );
        foreach (var reduction in Enum.GetValues<RowReduction>())
        {
            using var module = LookaheadModule.Create(
                decoder.Config,
                new()
                {
                    Tokens = 3,
                    Rank = 2,
                    EmbeddingStd = 1,
                    Rows = reduction,
                },
                seed: 4
            );
            losses.Add(LookaheadTrainer.Loss(decoder, module, target).item<float>());
            using var pass = new ObserverPass(decoder, module, 1, 6, Scored);
            target.Prompt.HandTo(pass);

            void Scored(int layer, LayerRows prompt, LayerRows rows)
            {
                var score = new LookaheadScore(module).Score(layer, prompt, rows);
                Assert.True(score.eq(LookaheadScore.Score(prompt.Keys, rows, reduction)).all().item<bool>());
            }
        }
        Assert.Equal(3, losses.Distinct().Count());
    }
}
