using LookaheadKV.Methods;
using Xunit;
using static LookaheadKV.Tests.Methods.ScoreRows;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Against the formula in plain arrays.</summary>
public sealed class OracleTests
{
    [Fact]
    public void The_oracle_averages_the_answers_rows()
    {
        using var scope = NewDisposeScope();
        Near(
            Oracle.Score(Rows.Part(0, Prompt).Keys, Rows.Part(Prompt, Behind)),
            4,
            Prompt,
            (b, h, j) => After.Average(i => Rows.Attention(b, h, i)[j])
        );
    }
}
