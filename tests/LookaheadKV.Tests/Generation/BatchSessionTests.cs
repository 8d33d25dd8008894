using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Generation;

public class BatchSessionTests
{
    private static readonly int[][] Prompts =
    [
        [1, 5, 9, 2, 7, 3],
        [4, 4, 8],
        [2, 6, 1, 9, 9, 3, 5, 7, 1, 8],
    ];

    public static TheoryData<string> Texts =>
        ["full", "snapkv[window=2]", "adakv[window=2]", "keydiff[layers=global]", "kvzip", "laq[window=2]"];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Every_row_answers_as_it_does_alone(string text)
    {
        using var decoder = TinyDecoder.Create();
        var policy = PolicyText.Parse(text).Build(new(() => throw new NotSupportedException(), () => throw new NotSupportedException()));
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

    [Fact]
    public void Rows_of_different_lengths_hold_no_padding_in_ragged_layers()
    {
        using var decoder = TinyDecoder.Create();
        var policy = Policies.KeyDiff with { Heads = new HeadAllocation.Adaptive(0), Budget = Budget.Tokens(3) };
        using var batch = BatchSession.Start(decoder, Prompts, policy, reserve: 0);
        // 3 entries a row, layer and head on average: 2 · 3 rows · 2 layers · 2 heads · 3 · 4 numbers · 4 bytes.
        Assert.Equal(2 * 3 * 2 * 2 * 3 * 4 * 4, batch.Cache.Bytes);
        Assert.Equal(batch.Cache.Bytes, batch.Cache.StorageBytes);
    }

    [Fact]
    public void Rows_get_equally_many_tokens()
    {
        using var decoder = TinyDecoder.Create();
        using var batch = BatchSession.Start(decoder, Prompts, Policies.Full, reserve: 4);
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
            Assert.Throws<InputException>(() => BatchSession.Start(decoder, [], Policies.Full)).Message.IndexOf("there is no prompt")
        );
    }
}
