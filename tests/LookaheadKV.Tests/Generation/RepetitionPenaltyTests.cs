using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Generation;

/// <summary>
/// A repetition penalty against a plain reference of transformers' formula: whatever session draws, the tokens are those of logits that were computed
/// without it and penalised by hand.
/// </summary>
public sealed class RepetitionPenaltyTests
{
    private const int Room = 10;

    public static TheoryData<double, double, string> Cases =>
        [
            .. from penalty in new[] { 0.5, 1.0, 1.3, 4 }
            from temperature in new[] { 0, 2.0 }
            from policy in new[] { "full", "streaming" }
            select (penalty, temperature, policy),
        ];

    [Theory, MemberData(nameof(Cases))]
    public void Every_session_draws_what_the_reference_draws(double penalty, double temperature, string policy)
    {
        using var decoder = TinyDecoder.Create();
        foreach (var seed in Enumerable.Range(0, 8))
        {
            var options = new SamplingOptions
            {
                RepetitionPenalty = penalty,
                Temperature = temperature,
                Seed = seed,
            };
            var random = new Random(seed);
            int[] prompt = [.. Enumerable.Range(0, 8).Select(_ => random.Next(1, 13))];
            var kept = policy == "full" ? EvictionPolicy.Full : StreamingLlm.Policy(2).With(Budget.Tokens(5));
            var wanted = Reference(decoder, prompt, kept, options);

            using var session = Session.Start(decoder, prompt, kept, Room + 4);
            using var fork = session.Fork(Room + 4);
            session.Ask([1, 2], 3); // is forgotten, and what it said too
            Assert.Equal(wanted, session.Sample(decoder.Config, options, Room));
            Assert.Equal([.. prompt, .. wanted], session.Tokens);
            Assert.Equal(wanted, fork.Sample(decoder.Config, options, Room));

            using var appended = Session.Start(decoder, prompt[..5], EvictionPolicy.Full, Room + 4);
            appended.Append(prompt[5..]).Dispose();
            Assert.Equal(Reference(decoder, prompt, EvictionPolicy.Full, options), appended.Sample(decoder.Config, options, Room));

            using var batch = BatchSession.Start(decoder, [prompt, prompt[..6]], kept, Room);
            int[] shorter = Reference(decoder, prompt[..6], kept, options);
            Assert.Equal([wanted, shorter], batch.Sample(Room, [options, options]));
        }
    }

    [Fact]
    public void A_penalty_of_one_is_none_and_a_great_one_says_nothing_twice()
    {
        using var decoder = TinyDecoder.Create();
        int[] prompt = [3, 1, 4];
        using var plain = Session.Start(decoder, prompt, EvictionPolicy.Full, Room);
        using var one = Session.Start(decoder, prompt, EvictionPolicy.Full, Room);
        Assert.Equal(plain.Generate(Room), one.Sample(decoder.Config, new() { RepetitionPenalty = 1 }, Room));

        // Of positive logits alone, the largest penalty leaves those that were not there yet.
        using var logits = arange(1, 8, ScalarType.Float32);
        var said = new List<int>();
        for (var step = 0; step < 7; step++)
            said.Add(Sampling.Next(logits, new() { RepetitionPenalty = 1e6 }, step, said));
        Assert.Equal([6, 5, 4, 3, 2, 1, 0], said);
        Assert.Equal(Enumerable.Range(1, 7).Select(i => (float)i), logits.data<float>().ToArray()); // not changed
    }

    [Fact]
    public void Where_nothing_was_said_nothing_is_penalised()
    {
        using var logits = arange(1, 8, ScalarType.Float32);
        Assert.Equal(6, Sampling.Next(logits, new() { RepetitionPenalty = 1e6 }, 0));
        Assert.Equal(6, Sampling.Next(logits, new() { RepetitionPenalty = 1e6 }, 0, []));
        Assert.Equal(5, Sampling.Next(logits, new() { RepetitionPenalty = 1e6 }, 0, [6]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1.1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void What_is_no_penalty_is_refused(double penalty) =>
        Assert.Contains(
            "repetition penalty",
            Assert.Throws<InputException>(() => new SamplingOptions { RepetitionPenalty = penalty }).Message
        );

    // Token by token through the public parts: logits of a session that is given what was drawn.
    private static int[] Reference(Decoder decoder, int[] prompt, EvictionPolicy policy, SamplingOptions options)
    {
        using var session = Session.Start(decoder, prompt, policy, Room);
        var answer = new List<int>();
        while (true)
        {
            var logits = session.NextLogits.data<float>().ToArray();
            foreach (var token in prompt.Concat(answer).ToHashSet())
                logits[token] = (float)(
                    logits[token] < 0 ? logits[token] * options.RepetitionPenalty : logits[token] / options.RepetitionPenalty
                );
            using var penalised = tensor(logits);
            answer.Add(Sampling.Next(penalised, options with { RepetitionPenalty = 1 }, answer.Count));
            if (answer.Count == Room || decoder.Config.EndTokens.Contains(answer[^1]))
                return [.. answer];
            session.Append([answer[^1]]).Dispose();
        }
    }
}
