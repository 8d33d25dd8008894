using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Generation;

public class BatchSessionTests
{
    private static readonly int[][] Prompts =
    [
        [1, 5, 9, 2, 7, 3],
        [4, 4, 8],
        [2, 6, 1, 9, 9, 3, 5, 7, 1, 8],
    ];

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 60)];

    public static TheoryData<string> Texts =>
        ["full", "snapkv[window=2]", "adakv[window=2]", "keydiff[layers=global]", "kvzip", "laq[window=2]"];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Every_row_answers_as_it_does_alone(string text)
    {
        using var decoder = TinyDecoder.Create();
        var policy = PolicyText.Parse(text).Build();
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(3));
        using var batch = BatchSession.Start(decoder, Prompts, policy, reserve: 6);
        var together = batch.Generate(6);
        for (var row = 0; row < Prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, Prompts[row], policy, 6);
            Assert.Equal(alone.Generate(6), together[row]);
            Assert.Equal(alone.Report.CacheBytes, batch.Reports[row].CacheBytes);
        }
    }

    [Theory]
    [InlineData(1, 6)]
    [InlineData(5, 9)]
    [InlineData(16, 7)]
    public void Prompts_of_one_length_in_one_pass_are_answered_as_each_alone(int rows, int length)
    {
        using var decoder = TinyDecoder.Create();
        var random = new Random(rows);
        int[][] prompts = [.. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(1, 13)).ToArray())];
        // Ended rows go on in the cache: the others must not notice, nor what is said of an end token that the configuration does not name.
        foreach (
            var ends in (int[][])
                [
                    [],
                    [4],
                ]
        )
        {
            using var batch = BatchSession.StartWhole(decoder, prompts, reserve: 10);
            var together = batch.Sample(10, [.. prompts.Select(_ => SamplingOptions.Greedy)], ends);
            for (var row = 0; row < rows; row++)
            {
                using var alone = Session.Start(decoder, prompts[row], EvictionPolicy.Full, 10);
                Assert.Equal(alone.Sample(decoder.Config, SamplingOptions.Greedy, 10, ends), together[row]);
            }
        }
    }

    [Fact]
    public void A_batch_answers_once()
    {
        using var decoder = TinyDecoder.Create();
        using var batch = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 6);
        batch.Generate(2);
        Assert.Contains("has been answered", Assert.Throws<InvalidOperationException>(() => batch.Generate(2)).Message);
        Assert.Throws<InvalidOperationException>(() => batch.Append([.. Prompts.Select(_ => new[] { 1 })]));
    }

    [Fact]
    public void Rows_that_are_drawn_follow_their_own_seeds()
    {
        using var decoder = TinyDecoder.Create();
        int[][] prompts =
        [
            [1, 5, 9, 2],
            [1, 5, 9, 2],
            [7, 7, 3, 8],
        ];
        SamplingOptions[] sampling = [.. prompts.Select((_, row) => new SamplingOptions { Temperature = 1.5, Seed = row })];
        using var batch = BatchSession.StartWhole(decoder, prompts, reserve: 8);
        var together = batch.Sample(8, sampling);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, prompts[row], EvictionPolicy.Full, 8);
            Assert.Equal(alone.Sample(decoder.Config, sampling[row], 8), together[row]);
        }
    }

    [Fact]
    public void Rows_that_are_drawn_and_rows_that_are_not_share_a_batch()
    {
        using var decoder = TinyDecoder.Create();
        SamplingOptions[] sampling = [SamplingOptions.Greedy, new() { Temperature = 5, Seed = 1 }, new() { RepetitionPenalty = 5 }];
        using var batch = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 8);
        var message = Assert.Throws<ArgumentException>(() => batch.Sample(8, sampling[..2])).Message;
        Assert.Contains("for each of the 3 rows", message);
        var together = batch.Sample(8, sampling);
        for (var row = 0; row < Prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, Prompts[row], EvictionPolicy.Full, 8);
            Assert.Equal(alone.Sample(decoder.Config, sampling[row], 8), together[row]);
        }
    }

    /// <summary>What every row is given stands before its answer, and is seen by a repetition penalty.</summary>
    [Fact]
    public void What_is_appended_is_answered_as_in_each_row_alone()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        int[][] more =
        [
            [3, 8],
            [1, 1],
            [12, 4],
        ];
        SamplingOptions[] sampling = [.. Prompts.Select(_ => new SamplingOptions { RepetitionPenalty = 3 })];
        using var batch = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 8);
        var logits = batch.Append(more);
        Assert.Equal([3, 2, 13], logits.shape);
        Assert.True(batch.NextLogits.eq(logits.select(1, 1)).all().item<bool>());
        var together = batch.Sample(6, sampling);
        for (var row = 0; row < Prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, Prompts[row], EvictionPolicy.Full, 8);
            Assert.True(alone.Append(more[row]).allclose(logits[row], 1e-4, 1e-5));
            Assert.Equal(alone.Sample(decoder.Config, sampling[row], 6), together[row]);
        }
    }

    [Fact]
    public void An_answer_ends_where_the_reserve_does_or_the_caller_says()
    {
        using var tiny = TinyDecoder.Create();
        using var decoder = new Decoder(tiny.Config with { EndTokens = [] }, tiny.Weights);
        using var batch = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 3);
        Assert.Throws<OperationCanceledException>(() => batch.Generate(10, new CancellationToken(canceled: true)));
        using var again = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 3);
        Assert.All(again.Generate(10), answer => Assert.Equal(4, answer.Length)); // the last token needs no place
        using var none = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 3);
        Assert.All(none.Generate(0), Assert.Empty);
    }

    [Fact]
    public void A_batch_leaves_no_tensor()
    {
        using var decoder = TinyDecoder.Create();
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            using var batch = BatchSession.Start(decoder, Prompts, KeyNorm.Method.Policy().With(Budget.Tokens(3)), reserve: 6);
            batch.Append([.. Prompts.Select(_ => new[] { 1 })]).Dispose();
            batch.Generate(4);
            using var whole = BatchSession.StartWhole(decoder, [Prompts[0], Prompts[0]], reserve: 6);
            whole.Sample(4, [new() { Temperature = 1 }, new() { Temperature = 1 }]);
        }
    }

    [Fact]
    public void Prompts_of_different_lengths_have_no_pass_in_common()
    {
        using var decoder = TinyDecoder.Create();
        Assert.Throws<ArgumentException>(() => BatchSession.StartWhole(decoder, Prompts));
        Assert.Throws<InputException>(() => BatchSession.StartWhole(decoder, []));
    }

    // Lengths up to the context: rows come to its end at different steps, some before they have said anything.
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_row_answers_as_it_does_alone_up_to_the_end_of_the_context(int seed)
    {
        var random = new Random(seed);
        using var decoder = TinyDecoder.Create();
        var (config, text) = (decoder.Config, Texts.ElementAt(random.Next(2)).Data);
        var policy = PolicyText.Parse(text).Build();
        policy = policy.Scorer is null ? policy : policy.With(Budget.Tokens(4));
        int[][] prompts =
        [
            .. Enumerable
                .Range(0, random.Next(1, 5))
                .Select(_ => Prompt(random.Next(3) == 0 ? config.MaxPositions : random.Next(1, config.MaxPositions))),
        ];
        var most = random.Next(1, 30);
        using var batch = BatchSession.Start(decoder, prompts, policy, reserve: most);
        var sampling = prompts.Select((_, row) => new SamplingOptions { Temperature = seed % 2, Seed = row }).ToArray();
        var together = batch.Sample(most, sampling, [1]);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Session.Start(decoder, prompts[row], policy, most);
            Assert.Equal(alone.Sample(config, sampling[row], most, [1]), together[row]);
        }

        int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(config.VocabularySize))];
    }

    [Fact]
    public void Rows_of_different_lengths_hold_no_padding_in_ragged_layers()
    {
        using var decoder = TinyDecoder.Create();
        var policy = KeyDiff.Method.Policy() with { Heads = new HeadAllocation.Adaptive(0), Budget = Budget.Tokens(3) };
        using var batch = BatchSession.Start(decoder, Prompts, policy, reserve: 0);
        // 3 entries a row, layer and head on average: 2 · 3 rows · 2 layers · 2 heads · 3 · 4 numbers · 4 bytes.
        Assert.Equal(2 * 3 * 2 * 2 * 3 * 4 * 4, batch.Cache.Bytes);
        Assert.Equal(batch.Cache.Bytes, batch.Cache.StorageBytes);
    }

    [Fact]
    public void Rows_get_equally_many_tokens()
    {
        using var decoder = TinyDecoder.Create();
        using var batch = BatchSession.Start(decoder, Prompts, EvictionPolicy.Full, reserve: 4);
        Assert.Throws<ArgumentException>(() =>
            batch.Append([
                [1],
                [2],
            ])
        );
        Assert.Throws<ArgumentException>(() =>
            batch.Append([
                [1],
                [2],
                [3, 4],
            ])
        );
        Assert.Equal(
            0,
            Assert.Throws<InputException>(() => BatchSession.Start(decoder, [], EvictionPolicy.Full)).Message.IndexOf("there is no prompt")
        );
    }
}
