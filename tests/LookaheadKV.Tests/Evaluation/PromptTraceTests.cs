using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>What a remembered prefill says is what a session does.</summary>
public class PromptTraceTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(9)]
    public void Teacher_forcing_an_answer_equals_generating_it(int budget)
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, seed: 1);
        var agreed = 0;
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            int[] prompt = [.. Enumerable.Range(0, 10).Select(_ => random.Next(1, 13))];
            foreach (
                var policy in new[]
                {
                    RandomScore.Policy(seed),
                    StreamingLlm.Policy(2),
                    SnapKV.Policy(2),
                    LookaheadMethod.Policy(module),
                    Oracle.Method.Policy(),
                }
            )
            {
                var evicted = policy.With(Budget.Tokens(budget));
                using var session = Session.Start(decoder, prompt, evicted, reserve: 8);
                int[] generated = [.. session.Generate(6)];
                using var trace = new PromptTrace(decoder, prompt);
                Assert.True(Answers(generated));
                int[] other = [.. generated[..^1], (generated[^1] + 1) % 13];
                Assert.False(Answers(other));
                agreed++;

                bool Answers(int[] answer)
                {
                    var scores = trace.Scores(policy, budget);
                    var kept = PromptEviction.Select(policy, scores, budget * decoder.Config.Layers);
                    using var cache = trace.Evict(kept, 8);
                    foreach (var held in kept.Cast<IDisposable>().Concat(scores))
                        held.Dispose();
                    return trace.Answers(cache, answer);
                }
            }
        }
        Assert.Equal(100, agreed);
    }

    [Fact]
    public void A_wrong_guess_is_replaced_by_the_models_own_answer()
    {
        using var decoder = TinyDecoder.Create();
        int[] prompt = [4, 7, 1, 9, 3];
        var own = Session.GreedyResponse(decoder, prompt, 12, TestContext.Current.CancellationToken);
        using var wrong = new PromptTrace(decoder, prompt, [1, 2, 0], maxResponse: 12);
        Assert.Equal(own, wrong.Response);
        using var none = new PromptTrace(decoder, prompt, maxResponse: 12);
        Assert.Equal(own, none.Response);
    }

    [Fact]
    public void Nothing_is_left_behind()
    {
        using var decoder = TinyDecoder.Create();
        Once();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 5; i++)
            Once();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Once()
        {
            using var scope = torch.NewDisposeScope();
            using var trace = new PromptTrace(decoder, [4, 7, 1, 9, 3, 2]);
            var kept = PromptEviction.Select(Oracle.Method.Policy(), trace.Scores(Oracle.Method.Policy(), 3), 3 * decoder.Config.Layers);
            using var cache = trace.Evict(kept, 4);
            foreach (var set in kept)
                set.Dispose();
            trace.Answers(cache, [1, 2, 3]);
        }
    }
}
