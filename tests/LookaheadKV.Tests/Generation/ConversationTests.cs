using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Generation;

/// <summary>What a session does after its prompt was evicted, or replayed: questions, a dialogue, forks.</summary>
public sealed class ConversationTests : IDisposable
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];

    /// <summary>Heads that keep different numbers of positions, in both layers.</summary>
    private static readonly long[][][] Given =
    [
        [
            [0, 4, 7, 9],
            [1],
        ],
        [
            [2, 3],
            [5, 6, 8],
        ],
    ];

    private readonly Decoder _decoder = TinyDecoder.Create();

    private static KeptPositions Kept(params long[][][] layers) =>
        new("given", null, Prompt.Length, [.. layers.Select(heads => (IReadOnlyList<IReadOnlyList<long>>)[.. heads])]);

    private Session Replayed(int reserve = 14) => Session.Replay(_decoder, Prompt, Kept(Given), reserve);

    /// <summary>Everything that a session's next answer depends on.</summary>
    private static IEnumerable<float> State(Session session)
    {
        using var scope = NewDisposeScope();
        var state = session.NextLogits.data<float>().ToArray().Concat(session.Cache.LogicalLengths.Select(n => (float)n));
        foreach (var layer in session.Cache.Layers)
            for (var head = 0; head < layer.KvHeads; head++)
            {
                var (keys, values, positions) = layer.Segment(0, head);
                state = state
                    .Concat(keys.contiguous().data<float>().ToArray())
                    .Concat(values.contiguous().data<float>().ToArray())
                    .Concat(positions.data<long>().ToArray().Select(p => (float)p));
            }
        return state.ToArray();
    }

    [Fact]
    public void A_replay_holds_the_full_caches_entries_at_the_given_positions()
    {
        using var scope = NewDisposeScope();
        using var full = Session.Start(_decoder, Prompt, EvictionPolicy.Full, reserve: 0);
        using var replay = Replayed();
        Assert.Equal(Given.SelectMany(h => h), replay.KeptPositions(EvictionPolicy.Full).Layers.SelectMany(h => h));
        Assert.True(replay.NextLogits.equal(full.NextLogits).all().item<bool>());
        Assert.Equal((10, 2.5), (replay.Cache.LogicalLength, replay.Report.KeptTokens));
        for (var layer = 0; layer < 2; layer++)
        for (var head = 0; head < 2; head++)
        {
            var (keys, values, _) = replay.Cache.Layers[layer].Segment(0, head);
            var (allKeys, allValues, _) = full.Cache.Layers[layer].Segment(0, head);
            var index = tensor(Given[layer][head]);
            Assert.True(keys.equal(allKeys.index_select(0, index)).all().item<bool>());
            Assert.True(values.equal(allValues.index_select(0, index)).all().item<bool>());
        }
    }

    [Fact]
    public void A_replay_of_what_a_policy_kept_goes_on_as_the_policys_session()
    {
        var policy = SnapKV.Policy(2).With(Budget.Tokens(4));
        using var session = Session.Start(_decoder, Prompt, policy, reserve: 14);
        using var replay = Session.Replay(_decoder, Prompt, session.KeptPositions(policy), reserve: 14);
        Assert.Equal(("snapkv", "4"), (session.KeptPositions(policy).Policy, session.KeptPositions(policy).Budget));
        Assert.Equal(State(session), State(replay));
        Assert.Equal(session.Say([7, 2], 6), replay.Say([7, 2], 6));
        Assert.Equal(State(session), State(replay));
    }

    [Fact]
    public void Kept_positions_of_another_prompt_or_model_are_refused()
    {
        Assert.Contains(
            "of 10 tokens, this one has 9",
            Assert.Throws<InputException>(() => Session.Replay(_decoder, Prompt[..9], Kept(Given))).Message
        );
        Assert.Contains(
            "1 layers of 2 kv heads, the model has 2 of 2",
            Assert.Throws<InputException>(() => Session.Replay(_decoder, Prompt, Kept(Given[0]))).Message
        );
    }

    [Fact]
    public void Questions_do_not_see_each_other()
    {
        using var session = Replayed();
        var before = State(session);
        var first = session.Ask([7, 2], 5);
        Assert.Equal(before, State(session));
        session.Ask([8, 8, 8], 4);
        Assert.Equal(before, State(session));
        Assert.Equal(first, session.Ask([7, 2], 5));
        // As if it were the only question: a session of its own that says it.
        using var other = Replayed();
        Assert.Equal(first, other.Say([7, 2], 5));
    }

    [Fact]
    public void A_question_that_does_not_fit_leaves_the_session_as_it_was()
    {
        using var session = Replayed(reserve: 3);
        var before = State(session);
        Assert.Throws<InvalidOperationException>(() => session.Ask([7, 2, 1, 1], 2));
        Assert.Equal(before, State(session));
        Assert.Throws<InputException>(() => session.Ask([7, 99], 2));
        Assert.Equal(before, State(session));
        // A question whose answer goes on for four tokens, the last of which needs no room.
        using var roomy = Replayed();
        var question = Enumerable.Range(1, 12).First(token => roomy.Ask([token], 4).Length == 4);
        Assert.Equal(roomy.Ask([question], 3), session.Ask([question], 3));
        // Asked for more, it ends where the reserve does.
        Assert.Equal(session.Ask([question], 3), session.Ask([question], 5));
        Assert.Equal(before, State(session));
    }

    [Fact]
    public void What_was_said_is_seen_by_what_follows()
    {
        using var session = Replayed();
        var answer = session.Say([7, 2], 3);
        Assert.Equal(10 + 2 + answer.Length, session.Cache.LogicalLength);
        // The prompt's positions alone count as kept.
        Assert.Equal(Given.SelectMany(h => h), session.KeptPositions(EvictionPolicy.Full).Layers.SelectMany(h => h));
        using var other = Replayed();
        other.Append([7, 2, .. answer]).Dispose();
        using var scope = NewDisposeScope();
        Assert.Equal(other.Cache.LogicalLength, session.Cache.LogicalLength);
        Assert.True(allclose(other.NextLogits, session.NextLogits, 1e-4, 1e-5));
        Assert.Equal(other.Ask([4], 3), session.Ask([4], 3));
    }

    [Fact]
    public void A_fork_goes_on_alone()
    {
        using var session = Replayed();
        session.Say([7], 2);
        var before = State(session);
        using var fork = session.Fork(reserve: 4);
        Assert.Equal(before, State(fork));
        fork.Append([1, 2]).Dispose();
        Assert.Equal(before, State(session));
        session.Append([3]).Dispose();
        Assert.NotEqual(State(fork), State(session));
        Assert.Equal(session.Report, fork.Report);
        Assert.Throws<InvalidOperationException>(() => fork.Append([1, 2, 3]));
    }

    [Fact]
    public void A_fork_outlives_its_session()
    {
        Session fork;
        IEnumerable<float> before;
        using (var session = Replayed())
        {
            fork = session.Fork(reserve: 4);
            before = State(session);
        }
        using (fork)
            Assert.Equal(before, State(fork));
    }

    public void Dispose() => _decoder.Dispose();
}
