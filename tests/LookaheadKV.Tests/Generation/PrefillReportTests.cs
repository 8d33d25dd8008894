using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Generation;

/// <summary>What a prefill says of itself, way by way, in bytes that were counted by hand; what it leaves when it is cut short.</summary>
public sealed class PrefillReportTests
{
    private const int Reserve = 3;

    // A token's keys and values in a layer: 2 kv heads of size 4, float32.
    private const long Token = 2 * 2 * 4 * 4;

    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];

    /// <summary>
    /// Layer by layer, compacted layers and one full one are held at the most; where a method must see them all, all full ones and the first that
    /// is compacted.
    /// </summary>
    [Theory]
    [InlineData("full", 10, 2 * (10 + Reserve) + 10)]
    [InlineData("snapkv[window=2]", 4, 2 * (4 + Reserve) + 10)]
    [InlineData("streaming[sinks=1]", 4, 2 * (4 + Reserve) + 10)]
    [InlineData("kvzip[layers=uniform,heads=uniform]", 4, 4 + Reserve + 2 * 10)]
    [InlineData("laq[window=2]", 4, 4 + Reserve + 2 * 10)]
    public void Kept_tokens_bytes_and_the_peak_are_counted(string text, int kept, int peak)
    {
        using var decoder = TinyDecoder.Create();
        using var session = Session.Start(decoder, Prompt, Policy(text), Reserve, TestContext.Current.CancellationToken);
        Report(session, kept, peak);
        using var replay = Session.Replay(decoder, Prompt, session.KeptPositions(Policy(text)), Reserve);
        // What is kept is known: one full layer at a time, whatever chose it.
        Report(replay, kept, 2 * (kept + Reserve) + 10);

        static void Report(Session session, int kept, int peak)
        {
            var report = session.Report;
            Assert.Equal((10, kept), (report.PromptTokens, report.KeptTokens));
            Assert.Equal((2 * kept * Token, peak * Token), (report.CacheBytes, report.PeakCacheBytes));
            Assert.True(report.Elapsed > TimeSpan.Zero && report.EvictionElapsed >= TimeSpan.Zero);
        }
    }

    [Fact]
    public void Prompts_of_one_pass_report_their_own_share()
    {
        using var decoder = TinyDecoder.Create();
        using var batch = BatchSession.StartWhole(decoder, [Prompt, [.. Prompt.Reverse()]], Reserve);
        Assert.Equal(2, batch.Reports.Count);
        Assert.All(
            batch.Reports,
            report => Assert.Equal((10, 10.0, 20 * Token), (report.PromptTokens, report.KeptTokens, report.CacheBytes))
        );
        Assert.Equal([2, 13], batch.NextLogits.shape);
        using var alone = Session.Start(decoder, Prompt, EvictionPolicy.Full, 0);
        using var scope = torch.NewDisposeScope();
        Assert.True(batch.NextLogits[0].allclose(alone.NextLogits[0], 1e-4, 1e-5));
    }

    [Theory]
    [InlineData("full")]
    [InlineData("snapkv[window=2]")]
    [InlineData("oracle")]
    [InlineData("kvzip")]
    [InlineData("keydiff[layers=global]")]
    public void A_prefill_that_is_cut_short_or_fails_leaves_no_tensor(string text)
    {
        using var decoder = TinyDecoder.Create();
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            var cancelled = new CancellationToken(canceled: true);
            Assert.Throws<OperationCanceledException>(() => Session.Start(decoder, Prompt, Policy(text), Reserve, cancelled));
            Assert.Throws<OperationCanceledException>(() => BatchSession.Start(decoder, [Prompt], Policy(text), Reserve, cancelled));
            Assert.Throws<OperationCanceledException>(() => BatchSession.StartWhole(decoder, [Prompt], Reserve, cancelled));
            // Its head lost, a model fails when all layers have passed.
            using var broken = TinyDecoder.Create();
            broken.Weights.Head.Dispose();
            Assert.ThrowsAny<Exception>(() => Session.Start(broken, Prompt, Policy(text), Reserve));
            Assert.ThrowsAny<Exception>(() => BatchSession.StartWhole(broken, [Prompt], Reserve));
        }
    }

    private static EvictionPolicy Policy(string text)
    {
        var policy = PolicyText.Parse(text).Build();
        return policy.Scorer is null ? policy : policy.With(Budget.Tokens(4));
    }
}
