using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class StreamingLlmTests
{
    [Fact]
    public void Streaming_is_the_position()
    {
        using var scope = NewDisposeScope();
        Near(StreamingLlm.Score(Rows.Tensors.Keys), 2, Rows.Length, (_, _, j) => j);
    }

    [Fact]
    public void Entries_that_are_left_score_their_positions()
    {
        using var scope = NewDisposeScope();
        long[] left = [0, 3, 4, 8];
        Near(StreamingLlm.Score(Rows.Part(0, 4).Keys, tensor(left).view(1, 1, 4)), 2, 4, (_, _, j) => left[j]);
    }
}
