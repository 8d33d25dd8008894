using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Lookahead;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using MathNet.Numerics.Statistics;
using TorchSharp;
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
            var reference = Correlation.Spearman(a, b);
            var ours = RankCorrelation.Spearman(tensor(a).unsqueeze(0), tensor(b).unsqueeze(0)).item<double>();
            Assert.Equal(double.IsNaN(reference) ? 0 : reference, ours, 1e-12);
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
    public void Recall_leaves_no_tensor_behind()
    {
        using var scope = NewDisposeScope();
        var (truth, predicted) = (rand(1, 4, 30), rand(1, 4, 30));
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        OracleRecall.Of(truth, predicted, kvHeads: 2, count: 8);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
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
        Assert.Equal(new RecallSum(0, 1), Whole(1));
        Assert.Equal(new RecallSum(1, 2), Whole(2));
        Assert.Equal(new RecallSum(2, 3), Whole(3));
        Assert.Equal(new RecallSum(4, 4), Whole(4));
        // Head by head: {0} and {1} (a tie goes to the lower position) against {1} and {2}.
        Assert.All(OracleRecall.Of(truth, predicted, 2, 1), head => Assert.Equal(0, head.Whole.Share));

        RecallSum Whole(long count) => Assert.Single(OracleRecall.Of(truth, predicted, 1, count)).Whole;
    }

    [Fact]
    public void Recall_in_the_text_leaves_out_what_streaming_keeps()
    {
        using var scope = NewDisposeScope();
        // Of 12 positions StreamingLLM keeps 0 1 2 3 and 10 11 at a budget of 6.
        const int Length = 12;
        long[] truth = [0, 3, 4, 7, 9, 10];
        long[] predicted = [0, 4, 5, 9, 10, 11];
        var head = Assert.Single(OracleRecall.Of(Ranked(truth), Ranked(predicted), 1, 6));
        Assert.Equal(new RecallSum(4, 6), head.Whole); // 0 4 9 10
        Assert.Equal(new RecallSum(2, 3), head.Text); // 4 9 of 4 7 9
        Assert.Equal(new RecallSum(98 + 96, 98 + 97 + 96), head.TextAttention); // as Ranked gives them
        // At 4 StreamingLLM keeps the first four alone, at 2 the first two.
        Assert.Equal(3, Assert.Single(OracleRecall.Of(Ranked(4, 9, 10, 0), Ranked(1, 2, 3, 5), 1, 4)).Text.Wanted);
        Assert.Equal(new RecallSum(1, 1), Assert.Single(OracleRecall.Of(Ranked(1, 2), Ranked(2, 3), 1, 2)).Text);
        // Where all that is wanted lies at the edges, there is no share.
        Assert.Null(Assert.Single(OracleRecall.Of(Ranked(0, 11, 1, 2, 3, 10), Ranked(predicted), 1, 6)).Text.Share);

        static Tensor Ranked(params long[] best) =>
            tensor([.. Enumerable.Range(0, Length).Select(j => (float)(Array.IndexOf(best, j) is >= 0 and var rank ? 100 - rank : 0))])
                .view(1, 1, Length);
    }

    [Fact]
    public void Recall_is_counted_for_every_head_and_row_by_itself()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var (truth, predicted) = (rand(2, 4, 40), rand(2, 4, 40));
        var heads = OracleRecall.Of(truth, predicted, 2, 10);
        foreach (var head in Enumerable.Range(0, 2))
        {
            var expected = new HeadRecall();
            foreach (var row in Enumerable.Range(0, 2))
                expected += Assert.Single(OracleRecall.Of(Part(truth, row), Part(predicted, row), 1, 10));
            Assert.Equal(expected, heads[head]);

            Tensor Part(Tensor all, long row) => all.narrow(1, 2 * head, 2).narrow(0, row, 1);
        }
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
        var text = alone[0].Heads[2].Zip(alone[1].Heads[2]).SelectMany(pair => pair.First.Zip(pair.Second, (a, b) => a.Text + b.Text));
        Assert.Equal(text, both.Heads[2].SelectMany(layer => layer).Select(head => head.Text));
        Assert.Equal(text.Aggregate((a, b) => a + b).Share, both.TextRecall[2]);
        Assert.Null(alone[0].Recall[6]);
        Assert.Equal(alone[1].Recall[6], both.Recall[6]);
        Assert.Null(both.Recall[7]);

        using var target = LookaheadTarget.Compute(decoder, [examples[0].Prompt], [examples[0].Response]);
        using var scope = NewDisposeScope();
        Assert.Equal(LookaheadTrainer.Loss(decoder, module, target).item<float>(), alone[0].Divergence, 5);

        PredictionQuality Measure(LookaheadExample[] on) =>
            Assert.Single(PredictionQuality.Measure(decoder, [module], on, new GivenResponses(), [2, 6, 7]));
    }
}
