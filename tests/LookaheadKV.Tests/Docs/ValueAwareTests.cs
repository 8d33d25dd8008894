using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Docs;

public class ValueAwareTests
{
    [Fact]
    public void A_score_is_what_is_looked_at_times_what_it_says()
    {
        using var scope = NewDisposeScope();
        var rows = new LayerRows(randn(1, 4, 6, 8), randn(1, 2, 6, 8), randn(1, 2, 6, 8));
        var scores = ValueAware.Score(rows, window: 2);
        var looked = SnapKV.Score(rows.Queries, rows.Keys, window: 2);
        for (var head = 0; head < 4; head++)
        for (var j = 0; j < 6; j++)
        {
            var size = rows.Values[0, head / 2, j].data<float>().Sum(Math.Abs);
            Assert.Equal(looked[0, head, j].item<float>() * size, scores[0, head, j].item<float>(), 1e-5f);
        }
    }

    [Fact]
    public void It_is_a_policy_like_any_other()
    {
        using var decoder = TinyDecoder.Create();
        var policy = ValueAware.Method.Policy() with
        {
            Scorer = new ValueAware(Window: 2),
            Protection = Protection.LastTokens(2),
            Heads = new HeadAllocation.Adaptive(),
            Budget = Budget.Tokens(4),
        };
        using var session = Session.Start(decoder, [1, 5, 9, 2, 7, 3, 8, 6], policy);
        Assert.Equal(4, session.Report.KeptTokens);
        Assert.All(session.KeptPositions(policy).Layers.SelectMany(heads => heads), head => Assert.Equal([6, 7], head.TakeLast(2)));
    }
}
