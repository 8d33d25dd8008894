using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
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
        var policy = Policies.SnapKV(window: 6).With(Budget.Tokens(5));
        var message = Assert.Throws<InputException>(() => Start(decoder, Prompt, policy)).Message;
        Assert.Contains("budget 5 cannot hold the 6 protected tokens", message);
    }

    [Fact]
    public void Tokens_beyond_the_context_are_refused_and_the_cache_stays_as_it_was()
    {
        using var decoder = TinyDecoder.Create();
        using var session = Start(decoder, Prompt, Policies.Full, reserve: 30);
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
        using var session = Start(decoder, Prompt, Policies.Streaming().With(Budget.Tokens(5)), reserve: 2);
        var message = Assert.Throws<InvalidOperationException>(() => session.Append([1, 2, 3])).Message;
        Assert.Contains("larger reserve", message);
        Assert.All(session.Cache.Layers, layer => Assert.Equal(5, layer.StoredLength));
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
        var policy = Policies.Oracle.With(Budget.Tokens(4));
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
            LayerEviction.Scores(Policies.Oracle, new(decoder, decoder.Ids(Prompt), new(() => [])), 0, rows, null)
        );
    }

    [Fact]
    public void Pooling_widths_are_odd()
    {
        Assert.Contains("pooling width 4", Assert.Throws<InputException>(() => Pooling.Max(4)).Message);
        Assert.Contains("pooling width -1", Assert.Throws<InputException>(() => Pooling.Mean(-1)).Message);
    }

    private static Session Start(Decoder decoder, IReadOnlyList<int> prompt, EvictionPolicy policy, int reserve = 4) =>
        Session.Start(decoder, prompt, policy, reserve, TestContext.Current.CancellationToken);

    private static int[] Answer(Decoder decoder, IReadOnlyList<int> prompt) =>
        Session.GreedyResponse(decoder, prompt, cancellation: TestContext.Current.CancellationToken);
}
