using LookaheadKV.Generation;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Training;

/// <summary>The target behind a prompt's cache is that of the whole pass, whatever the responses' lengths.</summary>
public class LookaheadTargetTests
{
    [Theory]
    [InlineData(torch.ScalarType.Float32, 1e-5)]
    [InlineData(torch.ScalarType.Float64, 1e-12)]
    public void Response_rows_alone_give_the_importance_of_one_pass_over_everything(torch.ScalarType dtype, double tolerance)
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create(dtype);
        var random = new Random(3);
        int[][] prompts = [Ids(9), Ids(9), Ids(9)];
        int[][] responses = [Ids(5), Ids(1), Ids(3)];
        using var whole = LookaheadTarget.Compute(decoder, prompts, responses);
        using var behind = LookaheadTarget.Behind(decoder, BatchSession.StartWhole(decoder, prompts, reserve: 5), responses);
        Assert.Null(behind.IsGreedy);
        foreach (var (expected, actual) in whole.Importance.Zip(behind.Importance))
            Assert.True(actual.allclose(expected, tolerance, tolerance));
        foreach (var (expected, actual) in whole.Prompt.Zip(behind.Prompt))
        {
            Assert.Equal(expected.Keys.shape, actual.Keys.shape);
            Assert.True(actual.Keys.allclose(expected.Keys, tolerance, tolerance));
            Assert.True(actual.Values.allclose(expected.Values, tolerance, tolerance));
        }

        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 13))];
    }

    [Fact]
    public void Own_responses_of_a_batch_are_those_of_each_alone_and_so_is_their_target()
    {
        using var scope = torch.NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var random = new Random(8);
        LookaheadExample[] examples =
        [
            .. Enumerable.Range(0, 7).Select(_ => new LookaheadExample([.. Enumerable.Range(0, 11).Select(_ => random.Next(1, 13))], [])),
        ];
        var (together, alone) = (
            new OwnResponses(decoder, SamplingOptions.Greedy, 6),
            new OwnResponses(decoder, SamplingOptions.Greedy, 6)
        );
        var clock = new StepClock(decoder.Device);
        using var all = together.Target(decoder, examples, clock);
        Assert.Equal(7, together.Generated);
        Assert.True(clock.Times is { Prefill: > 0, Decode: > 0, Target: > 0, Backward: 0 });
        for (var row = 0; row < examples.Length; row++)
        {
            var token = TestContext.Current.CancellationToken;
            using var one = LookaheadTarget.Compute(decoder, [examples[row].Prompt], [alone.Of(examples[row], token)], token);
            foreach (var (expected, actual) in one.Importance.Zip(all.Importance))
                Assert.True(actual[row].allclose(expected[0], 1e-5, 1e-6));
        }
    }

    [Fact]
    public void Nothing_of_a_target_outlives_it()
    {
        using var decoder = TinyDecoder.Create();
        var own = new OwnResponses(decoder, SamplingOptions.Greedy, 6);
        Once();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 3; i++)
            Once();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Once() => own.Target(decoder, [new([1, 2, 3], []), new([4, 5, 6], [])], new StepClock(decoder.Device)).Dispose();
    }
}
