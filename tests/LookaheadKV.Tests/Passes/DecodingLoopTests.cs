using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Passes;

/// <summary>The one decoding loop: its limit, what it appends, and that all who write answers with it write the same ones.</summary>
public sealed class DecodingLoopTests
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3];

    [Fact]
    public void The_limit_is_that_of_writing_token_by_token()
    {
        for (var asked = -1; asked < 7; asked++)
        for (var context = 0; context < 8; context++)
        for (var seen = 0; seen < 9; seen++)
        for (var room = -1; room < 7; room++)
        {
            var (said, held) = (0, 0);
            while (said < asked && seen + said < context && held <= room)
                (said, held) = (said + 1, said + 1); // the next one needs all of these in the cache
            Assert.Equal(said, DecodingLoop.Limit(asked, context, seen, room));
        }
    }

    public static TheoryData<int, int> Unseen => new MatrixTheoryData<int, int>([1, 2, 3, 16], Enumerable.Range(0, 25));

    /// <summary>Rows of given tokens, limits and end tokens: a row is handed out as it is alone, however seldom the host looks, and nothing is appended in vain where it always looks.</summary>
    [Theory]
    [MemberData(nameof(Unseen))]
    public void A_row_of_several_is_what_it_is_alone(int unseen, int seed)
    {
        var random = new Random(seed);
        var rows = random.Next(1, 5);
        var limits = Enumerable.Range(0, rows).Select(_ => random.Next(0, 12)).ToArray();
        var script = limits.Select(_ => Enumerable.Range(0, 20).Select(_ => (long)random.Next(0, 9)).ToArray()).ToArray();
        int[] ends = [0, 5];
        var expected = script
            .Zip(limits, (row, limit) => row.Take(limit).TakeWhile((_, i) => i == 0 || !ends.Contains((int)row[i - 1])).Select(t => (int)t))
            .ToArray();
        var (chosen, appended) = (0, 0);
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var said = limits.Select(_ => new List<int>()).ToArray();
        foreach (var step in DecodingLoop.Run(limits, ends, Choose, Append, null, unseen, default))
        foreach (var (row, token) in step.Index())
            if (token is { } id)
                said[row].Add(id);
        Assert.Equal(expected, said);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        var longest = expected.Max(row => row.Count());
        Assert.InRange(appended, Math.Max(0, longest - 1), Math.Max(0, longest - 2 + unseen));

        Tensor Choose(int step)
        {
            Assert.Equal((step, step), (chosen++, appended));
            return tensor(script.Select(row => row[step]).ToArray()).unsqueeze(1);
        }

        void Append(Tensor tokens)
        {
            Assert.Equal(script.Select(row => row[appended]), tokens.squeeze(1).data<long>().ToArray());
            appended++;
        }
    }

    public static TheoryData<string, int> Answers =>
        new MatrixTheoryData<string, int>(["full", "snapkv[window=2]", "adakv[window=2]"], [0, 1, 5]);

    /// <summary>At every limit: asked for, room, context; with and without a question; and ends in the middle.</summary>
    [Theory]
    [MemberData(nameof(Answers))]
    public void A_session_a_row_of_a_batch_and_a_remembered_prompt_say_the_same_at_every_limit(string text, int end)
    {
        using var tiny = TinyDecoder.Create();
        using var decoder = new Decoder(tiny.Config with { EndTokens = [end] }, tiny.Weights);
        var policy = PolicyText.Parse(text).Build(new(() => throw new NotSupportedException(), () => throw new NotSupportedException()));
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(6));
        foreach (
            var question in (int[][])
                [
                    [],
                    [7, 2],
                ]
        )
        {
            using var trace = new PromptTrace(decoder, Prompt, question: question);
            var kept = policy.Scorer is null ? null : PromptEviction.Select(policy, trace.Scores(policy, 6), 12);
            foreach (var asked in (int[])[0, 1, 4, 8])
            foreach (var room in (int[])[0, 1, 4, 8])
            {
                using var session = Session.Start(decoder, Prompt, policy, room + question.Length);
                using var batch = BatchSession.Start(decoder, [Prompt, Prompt], policy, room + question.Length);
                if (question.Length > 0)
                {
                    session.Append(question).Dispose();
                    batch.Append([question, question]).Dispose();
                }
                using var cache = trace.Evict(kept, room + question.Length);
                int[] said = [.. session.Generate(asked)];
                Assert.Equal(said, trace.Generate(cache, asked));
                Assert.Equal([said, said], batch.Generate(asked));
                Assert.Equal(Math.Max(0, said.Length - 1) + Prompt.Length + question.Length, session.Cache.LogicalLength);
                Assert.Equal(session.Cache.LogicalLength, cache.LogicalLength);
                Assert.True(
                    said.Length == 0
                        || said[^1] == end
                        || said.Length == DecodingLoop.Limit(asked, 24, Prompt.Length + question.Length, room)
                );
            }
        }
    }
}
