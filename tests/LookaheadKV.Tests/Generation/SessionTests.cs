using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Generation;

public sealed class SessionTests
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];

    [Fact]
    public void A_budget_below_the_protected_window_is_refused()
    {
        using var decoder = TinyDecoder.Create();
        var policy = SnapKV.Policy(window: 6).With(Budget.Tokens(5));
        var message = Assert.Throws<InputException>(() => Start(decoder, Prompt, policy)).Message;
        Assert.Contains("budget 5 cannot hold the 6 protected tokens", message);
    }

    [Fact]
    public void Tokens_beyond_the_context_are_refused_and_the_cache_stays_as_it_was()
    {
        using var decoder = TinyDecoder.Create();
        using var session = Start(decoder, Prompt, EvictionPolicy.Full, reserve: 30);
        var message = Assert.Throws<InputException>(() => session.Append([.. Enumerable.Repeat(1, 15)])).Message;
        Assert.Contains("25 tokens do not fit the model's context of 24", message);
        Assert.Equal(10, session.Cache.LogicalLength);
        using var logits = session.Append([.. Enumerable.Repeat(1, 14)]);
        Assert.Equal([14, 13], logits.shape);
    }

    [Fact]
    public void Tokens_beyond_the_reserve_are_refused()
    {
        using var decoder = TinyDecoder.Create();
        using var session = Start(decoder, Prompt, StreamingLlm.Policy().With(Budget.Tokens(5)), reserve: 2);
        var message = Assert.Throws<InvalidOperationException>(() => session.Append([1, 2, 3])).Message;
        Assert.Contains("larger reserve", message);
        Assert.All(session.Cache.Layers, layer => Assert.All(layer.StoredLengths, stored => Assert.Equal(5, stored)));
    }

    [Fact]
    public void An_answer_ends_at_the_context_and_the_prompt_must_leave_room_for_one()
    {
        using var decoder = TinyDecoder.Create();
        // The last token needs no place in the cache.
        int[] nearlyFull = [.. Enumerable.Repeat(1, 23)];
        Assert.Single(Answer(decoder, nearlyFull));
        var message = Assert.Throws<InputException>(() => Answer(decoder, [.. nearlyFull, 1])).Message;
        Assert.Contains("no room for an answer", message);
    }

    [Fact]
    public void The_oracle_of_a_prompt_that_fills_the_context_says_why()
    {
        using var decoder = TinyDecoder.Create();
        var policy = Oracle.Method.Policy().With(Budget.Tokens(4));
        var message = Assert.Throws<InputException>(() => Start(decoder, [.. Enumerable.Repeat(1, 24)], policy)).Message;
        Assert.Contains("no room for an answer", message);
    }

    [Fact]
    public void A_policy_over_an_observer_cannot_score_without_it()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var rows = decoder.Project(0, decoder.Embed(decoder.Ids(Prompt)), decoder.Angles(0, Prompt.Length));
        Assert.Throws<ArgumentException>(() =>
            LayerEviction.Scores(Oracle.Method.Policy(), new(decoder, decoder.Ids(Prompt), new(() => [])), 0, rows, null)
        );
    }

    [Fact]
    public void Pooling_widths_are_odd()
    {
        Assert.Contains("pooling width 4", Assert.Throws<InputException>(() => Pooling.Max(4)).Message);
        Assert.Contains("pooling width -1", Assert.Throws<InputException>(() => Pooling.Mean(-1)).Message);
    }

    /// <summary>Generating goes on where it ended, to the token, however often it is interrupted and whatever limits it.</summary>
    [Theory]
    [InlineData(30, 24, 0)]
    [InlineData(30, 24, 2)] // drawn, not taken
    [InlineData(5, 24, 0)] // the reserve ends it
    [InlineData(0, 24, 0)]
    [InlineData(30, 15, 2)] // the context ends it
    public void Generating_in_pieces_is_generating_at_once(int reserve, int context, double temperature)
    {
        using var tiny = TinyDecoder.Create();
        using var decoder = new Decoder(tiny.Config with { MaxPositions = context, EndTokens = [] }, tiny.Weights);
        var all = Drawn(100);
        // Each position up to the context's end takes a token, and each but the last one a place of the reserve.
        Assert.Equal(Math.Min(reserve + 1, context - Prompt.Length), all.Length);
        for (var first = 0; first <= all.Length; first++)
        for (var second = 0; second <= 3; second++)
            Assert.Equal(all, Drawn(first, second, 100));
        // Nor does it matter who stops: the limit, or the one who asks.
        using var session = Start(decoder, Prompt, EvictionPolicy.Full, reserve);
        Assert.Equal(all, Draw(session, 100).Take(2).ToArray().Concat(Draw(session, 100)));

        int[] Drawn(params int[] limits)
        {
            using var session = Start(decoder, Prompt, EvictionPolicy.Full, reserve);
            return [.. limits.SelectMany(limit => Draw(session, limit).ToArray())];
        }

        IEnumerable<int> Draw(Session session, int limit) =>
            temperature == 0
                ? session.Generate(limit, TestContext.Current.CancellationToken)
                : session.Sample(
                    decoder.Config,
                    new() { Temperature = temperature, Seed = 3 },
                    limit,
                    cancellation: TestContext.Current.CancellationToken
                );
    }

    [Fact]
    public void Nothing_follows_an_end_token_until_something_is_appended()
    {
        using var tiny = TinyDecoder.Create();
        int[] answer;
        using (var session = Start(tiny, Prompt, EvictionPolicy.Full, reserve: 10))
            answer = [.. session.Generate(4)];
        var second = answer.Skip(1).First(token => token != answer[0]);
        using var decoder = new Decoder(tiny.Config with { EndTokens = [second] }, tiny.Weights);
        using var ending = Start(decoder, Prompt, EvictionPolicy.Full, reserve: 10);
        int[] given = [.. ending.Generate(10)];
        Assert.Equal(second, given[^1]);
        Assert.Empty(ending.Generate(10));
        using var behind = ending.Append([7]);
        using var other = Start(decoder, Prompt, EvictionPolicy.Full, reserve: 10);
        using var logits = other.Append([.. given, 7]); // the end token stands before what is said next
        Assert.Equal([1, 13], behind.shape);
        Assert.Equal(other.Cache.LogicalLength, ending.Cache.LogicalLength);
        using var scope = NewDisposeScope();
        Assert.True(allclose(logits[^1], behind[0], 1e-4, 1e-5));
        Assert.Equal(other.Generate(3), ending.Generate(3));
    }

    [Fact]
    public void A_question_after_generated_tokens_leaves_the_session_as_it_was()
    {
        using var decoder = TinyDecoder.Create();
        using var session = Start(decoder, Prompt, EvictionPolicy.Full, reserve: 13);
        using var other = Start(decoder, Prompt, EvictionPolicy.Full, reserve: 13);
        int[] first = [.. session.Generate(2)];
        session.Ask([4, 4], 3, TestContext.Current.CancellationToken);
        using var fork = session.Fork(reserve: 10);
        Assert.Equal(other.Generate(8), [.. first, .. session.Generate(6)]);
        Assert.Equal(other.Ask([5], 1), fork.Generate(6).Count() == 6 ? fork.Ask([5], 1) : []);
    }

    [Fact]
    public void Kept_positions_are_refused_where_rows_do_not_see_all_of_the_prompt()
    {
        using var tiny = TinyDecoder.Create();
        using var decoder = new Decoder(tiny.Config with { SlidingWindow = 6 }, tiny.Weights);
        long[] some = [0, 4, 9];
        long[] all = [.. Enumerable.Range(0, Prompt.Length)];
        Assert.Contains("sliding_window 6", Assert.Throws<InputException>(() => Replayed(some)).Message);
        using (Replayed(all)) { }
        using var trace = new LookaheadKV.Evaluation.PromptTrace(decoder, Prompt);
        using var kept = KeptSet.Of(
            [
                [.. some],
                [.. some],
            ],
            CPU
        );
        Assert.Contains("sliding_window 6", Assert.Throws<InputException>(() => trace.Evict([kept, kept], 4)).Message);

        Session Replayed(long[] positions)
        {
            IReadOnlyList<IReadOnlyList<long>> heads = [positions, positions];
            return Session.Replay(decoder, Prompt, new KeptPositions("given", null, Prompt.Length, [heads, heads]), reserve: 4);
        }
    }

    [Fact]
    public void Eviction_is_refused_where_rows_do_not_see_all_of_the_prompt()
    {
        using var tiny = TinyDecoder.Create();
        using var decoder = new Decoder(tiny.Config with { SlidingWindow = 6 }, tiny.Weights);
        Assert.Contains("sliding_window 6", Assert.Throws<InputException>(() => Start(decoder, Prompt, Kept(4))).Message);
        // Nothing is evicted: the window hides what it always hid.
        Start(decoder, Prompt, Kept(10)).Dispose();
        Start(decoder, Prompt, EvictionPolicy.Full).Dispose();
        Start(decoder, Prompt[..6], Kept(4)).Dispose();

        static EvictionPolicy Kept(int tokens) => KeyNorm.Method.Policy().With(Budget.Tokens(tokens));
    }

    [Fact]
    public void Kept_positions_name_a_budget_where_one_was_used()
    {
        using var decoder = TinyDecoder.Create();
        var evicting = KeyNorm.Method.Policy().With(Budget.Tokens(4));
        using var session = Start(decoder, Prompt, evicting);
        Assert.Equal("4", session.KeptPositions(evicting).Budget);
        using var full = Start(decoder, Prompt, EvictionPolicy.Full);
        Assert.Null(full.KeptPositions(EvictionPolicy.Full.With(Budget.Tokens(4))).Budget);
    }

    /// <summary>Whatever is done with a session, it leaves nothing when it is disposed.</summary>
    [Theory]
    [InlineData("full")]
    [InlineData("snapkv[window=2]")]
    [InlineData("adakv[window=2]")]
    [InlineData("oracle")]
    [InlineData("oracle[layers=uniform]")]
    [InlineData("laq[window=2]")]
    [InlineData("kvzip")]
    [InlineData("keydiff[layers=global]")]
    public void A_session_leaves_no_tensor(string text)
    {
        using var decoder = TinyDecoder.Create();
        var policy = PolicyText.Parse(text).Build(new(() => throw new NotSupportedException(), () => throw new NotSupportedException()));
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(4));
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            using var session = Start(decoder, Prompt, policy, reserve: 12);
            Assert.NotEmpty(session.Generate(2).ToArray());
            session.Append([1, 2]).Dispose();
            session.Ask([3], 2, TestContext.Current.CancellationToken);
            session.Say([3], 2, TestContext.Current.CancellationToken);
            session.Fork(2).Dispose();
            using var replay = Session.Replay(decoder, Prompt, session.KeptPositions(policy), reserve: 2);
            Assert.NotEmpty(replay.Generate(2).ToArray());
        }
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(-1, 2)]
    [InlineData(2, 10)]
    public void Kept_positions_that_do_not_increase_within_the_prompt_are_refused(long first, long second)
    {
        using var decoder = TinyDecoder.Create();
        IReadOnlyList<IReadOnlyList<long>> good =
        [
            [1, 2],
            [3],
        ];
        IReadOnlyList<IReadOnlyList<long>> bad =
        [
            [1, 2],
            [first, second],
        ];
        var message = Assert
            .Throws<InputException>(() => Session.Replay(decoder, Prompt, new KeptPositions("given", null, Prompt.Length, [good, bad])))
            .Message;
        Assert.Contains("layer 1, head 1", message);
    }

    [Fact]
    public void A_global_budget_is_not_divided_within_layers_too()
    {
        using var decoder = TinyDecoder.Create();
        var policy = KeyNorm.Method.Policy() with
        {
            Budget = Budget.Tokens(4),
            Layers = new LayerAllocation.Global(),
            Heads = new HeadAllocation.Adaptive(),
        };
        Assert.Contains("divided among heads by itself", Assert.Throws<InputException>(() => Start(decoder, Prompt, policy)).Message);
        // Before anything is computed.
        Assert.Throws<InputException>(() => Session.Start(decoder, Prompt, policy, 4, new CancellationToken(canceled: true)));
        using var trace = new LookaheadKV.Evaluation.PromptTrace(decoder, Prompt);
        Assert.Throws<InputException>(() => trace.Scores(policy, 4));
        using var scores = zeros(1, 2, 10);
        Assert.Throws<InputException>(() => PromptEviction.Select(policy, [scores, scores], 8));
    }

    /// <summary>Whatever a method does is in the time that its eviction is said to take.</summary>
    [Theory]
    [InlineData(typeof(SlowRows))]
    [InlineData(typeof(SlowObserver))]
    [InlineData(typeof(SlowReplay))]
    public void All_that_a_method_does_is_in_its_time(Type method)
    {
        using var decoder = TinyDecoder.Create();
        var scorer = (Slow)Activator.CreateInstance(method)!;
        var policy = new EvictionPolicy
        {
            Name = "slow",
            Scorer = scorer,
            Budget = Budget.Tokens(4),
        };
        using var session = Start(decoder, Prompt, policy);
        Assert.True(scorer.Taken > TimeSpan.Zero);
        Assert.True(session.Report.EvictionElapsed >= scorer.Taken, $"{session.Report.EvictionElapsed} of {scorer.Taken}");
        Assert.True(session.Report.Elapsed >= session.Report.EvictionElapsed);
    }

    private abstract class Slow : IScorer
    {
        public string Name => "slow";

        public TimeSpan Taken { get; private set; }

        protected void Work()
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            Thread.Sleep(20);
            Taken += clock.Elapsed;
        }
    }

    private sealed class SlowRows : Slow, IPromptScorer
    {
        public Tensor Score(PromptContext context, int layer, LayerRows prompt)
        {
            Work();
            return KeyNorm.Score(prompt.Keys);
        }
    }

    private sealed class SlowObserver : Slow, IObserverScorer
    {
        public IObserver Observe(PromptContext context)
        {
            Work();
            return new ResponseRows([1, 2]);
        }

        public Tensor Score(int layer, LayerRows prompt, LayerRows observer) => Oracle.Score(prompt.Keys, observer);
    }

    private sealed class SlowReplay : Slow, IWholePromptScorer
    {
        public bool ReadsBudget => false;

        public IReadOnlyList<Tensor> Score(WholePrompt prompt, long count)
        {
            Work();
            return [.. prompt.Layers.Select(rows => KeyNorm.Score(rows.Keys))];
        }
    }

    private static Session Start(Decoder decoder, IReadOnlyList<int> prompt, EvictionPolicy policy, int reserve = 4) =>
        Session.Start(decoder, prompt, policy, reserve, TestContext.Current.CancellationToken);

    private static int[] Answer(Decoder decoder, IReadOnlyList<int> prompt) =>
        Session.GreedyResponse(decoder, prompt, cancellation: TestContext.Current.CancellationToken);
}
