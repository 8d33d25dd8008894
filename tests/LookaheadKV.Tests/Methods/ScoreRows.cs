using LookaheadKV.Tests.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>What score functions are held against: batches, shared heads, short prompts, each score a formula in plain arrays.</summary>
internal static class ScoreRows
{
    public const int Prompt = 9;
    public const int Behind = 3;

    /// <summary>Two prompts of 9 tokens with 3 rows behind them, 4 query heads on 2 kv heads.</summary>
    public static PlainRows Rows { get; } = new(seed: 4, batch: 2, heads: 4, kvHeads: 2, length: Prompt + Behind, size: 6);

    /// <summary>Prompts only, as many heads as kv heads.</summary>
    public static PlainRows Alone { get; } = new(seed: 5, batch: 2, heads: 3, kvHeads: 3, length: Prompt, size: 4);

    public static IEnumerable<int> Last(int window) => Enumerable.Range(Prompt - Math.Min(window, Prompt), Math.Min(window, Prompt));

    public static IEnumerable<int> After => Enumerable.Range(Prompt, Behind);

    public static void Near(Tensor scores, int heads, int length, Func<int, int, int, double> expected)
    {
        Assert.Equal(ScalarType.Float32, scores.dtype);
        Assert.InRange(PlainRows.Distance(scores, 2, heads, length, expected), 0, 1e-5);
    }
}
