using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class KVzipTests
{
    [Theory]
    [InlineData(0, Prompt)]
    [InlineData(2, 4)]
    [InlineData(Prompt - 1, 1)]
    public void Kvzip_takes_the_largest_weight_on_its_chunk(int first, int count)
    {
        using var scope = NewDisposeScope();
        Near(
            KVzip.Score(Rows.Part(0, Prompt).Keys, Rows.Part(Prompt, Behind), first, count),
            4,
            count,
            (b, h, j) => After.Max(i => Rows.Attention(b, h, i)[first + j])
        );
    }
}
