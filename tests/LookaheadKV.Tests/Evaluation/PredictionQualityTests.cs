using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>Rank correlation and recall against plain arrays, and the means over prompts.</summary>
public sealed class PredictionQualityTests
{
    [Theory]
    [InlineData(2, 50)]
    [InlineData(7, 3)]
    [InlineData(40, 1000)]
    [InlineData(300, 20)]
    public void Spearman_is_Pearsons_correlation_of_shared_ranks(int length, int values)
    {
        using var scope = NewDisposeScope();
        var random = new Random(length);
        foreach (var _ in Enumerable.Range(0, 20))
        {
            double[] Draw() => [.. Enumerable.Range(0, length).Select(_ => random.Next(values) / 8.0)]; // few values: many ties
            var (a, b) = (Draw(), Draw());
            Assert.Equal(Slow(a, b), RankCorrelation.Spearman(tensor(a).unsqueeze(0), tensor(b).unsqueeze(0)).item<double>(), 10);
        }
    }

    [Fact]
    public void Spearman_of_known_orders()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2.0, 3.0, 4.0, 5.0 });
        Assert.Equal(1, RankCorrelation.Spearman(x, x.exp()).item<double>(), 12);
        Assert.Equal(-1, RankCorrelation.Spearman(x, -x).item<double>(), 12);
        Assert.Equal(0, RankCorrelation.Spearman(x, zeros(5)).item<double>());
        // 1 - 6·Σd²/(n(n²-1)) with d = (1, -1, 1, -1, 0)
        Assert.Equal(0.8, RankCorrelation.Spearman(x, tensor(new[] { 2.0, 1.0, 4.0, 3.0, 5.0 })).item<double>(), 12);
    }

    [Fact]
    public void Recall_is_the_share_of_the_truly_best_that_is_found()
    {
        using var scope = NewDisposeScope();
        // Two query heads share a kv head: the means are [3, 2, 4, 0] and [0, 5, 4, 1].
        var truth = tensor(
                new[,]
                {
                    { 6.0, 0, 4, 0 },
                    { 0.0, 4, 4, 0 },
                }
            )
            .unsqueeze(0);
        var predicted = tensor(
                new[,]
                {
                    { 0.0, 9, 4, 0 },
                    { 0.0, 1, 4, 2 },
                }
            )
            .unsqueeze(0);
        Assert.Equal(0, PredictionQuality.RecallAt(truth, predicted, 1, 1));
        Assert.Equal(0.5, PredictionQuality.RecallAt(truth, predicted, 1, 2));
        Assert.Equal(2.0 / 3, PredictionQuality.RecallAt(truth, predicted, 1, 3), 12);
        Assert.Equal(1, PredictionQuality.RecallAt(truth, predicted, 1, 4));
        // Head by head: {0} and {1} (a tie goes to the lower position) against {1} and {2}.
        Assert.Equal(0, PredictionQuality.RecallAt(truth, predicted, 2, 1));
    }

    [Fact]
    public void Means_are_over_prompts_and_what_is_not_evicted_is_left_out()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, new() { Tokens = 3, Rank = 2 }, seed: 1);
        LookaheadExample[] examples = [new([3, 8, 2, 11, 5], [1, 2]), new([1, 1, 4, 9, 6, 2, 12], [5])];
        var both = Measure(examples);
        PredictionQuality[] alone = [Measure(examples[..1]), Measure(examples[1..])];
        Assert.Equal(alone.Average(q => q.Divergence), both.Divergence, 6);
        Assert.Equal(alone.Average(q => q.Spearman), both.Spearman, 6);
        Assert.Equal(alone.Average(q => q.Recall[2]!.Value), both.Recall[2]!.Value, 6);
        Assert.Null(alone[0].Recall[6]);
        Assert.Equal(alone[1].Recall[6], both.Recall[6]);
        Assert.Null(both.Recall[7]);

        using var target = LookaheadTarget.Compute(decoder, [examples[0].Prompt], [examples[0].Response]);
        using var scope = NewDisposeScope();
        Assert.Equal(LookaheadTrainer.Loss(decoder, module, target).item<float>(), alone[0].Divergence, 5);

        PredictionQuality Measure(LookaheadExample[] on) =>
            Assert.Single(PredictionQuality.Measure(decoder, [module], on, new GivenResponses(), [2, 6, 7]));
    }

    // Ranks by counting, the correlation by its definition.
    private static double Slow(double[] a, double[] b)
    {
        var (x, y) = (Ranks(a), Ranks(b));
        var (mx, my) = (x.Average(), y.Average());
        var (xy, xx, yy) = (0.0, 0.0, 0.0);
        for (var i = 0; i < x.Length; i++)
        {
            xy += (x[i] - mx) * (y[i] - my);
            xx += (x[i] - mx) * (x[i] - mx);
            yy += (y[i] - my) * (y[i] - my);
        }
        return xx * yy == 0 ? 0 : xy / Math.Sqrt(xx * yy);

        static double[] Ranks(double[] v) => [.. v.Select(value => v.Count(o => o < value) + (v.Count(o => o == value) + 1) / 2.0)];
    }
}
