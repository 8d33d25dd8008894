using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>The score functions that read attention or keys, each against its formula in plain arrays: batches, shared heads, short prompts.</summary>
public sealed class ScoreReferenceTests
{
    private const int Prompt = 9;
    private const int Behind = 3;

    /// <summary>Two prompts of 9 tokens with 3 rows behind them, 4 query heads on 2 kv heads.</summary>
    private static PlainRows Rows { get; } = new(seed: 4, batch: 2, heads: 4, kvHeads: 2, length: Prompt + Behind, size: 6);

    /// <summary>Prompts only, as many heads as kv heads.</summary>
    private static PlainRows Alone { get; } = new(seed: 5, batch: 2, heads: 3, kvHeads: 3, length: Prompt, size: 4);

    private static IEnumerable<int> Last(int window) => Enumerable.Range(Prompt - Math.Min(window, Prompt), Math.Min(window, Prompt));

    private static IEnumerable<int> After => Enumerable.Range(Prompt, Behind);

    private static void Near(Tensor scores, int heads, int length, Func<int, int, int, double> expected)
    {
        Assert.Equal(ScalarType.Float32, scores.dtype);
        Assert.InRange(PlainRows.Distance(scores, 2, heads, length, expected), 0, 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(Prompt - 1)]
    [InlineData(Prompt)]
    [InlineData(40)]
    public void Snapkv_sums_the_window_and_leaves_it_out(int window)
    {
        using var scope = NewDisposeScope();
        double Expected(int b, int h, int j) => j >= Prompt - window ? 0 : Last(window).Sum(i => Alone.Attention(b, h, i)[j]);
        Near(SnapKV.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, window), 3, Prompt, Expected);
        // The window's own queries are enough.
        var last = Math.Min(window, Prompt);
        var part = Alone.Part(Prompt - last, last).Queries;
        Near(SnapKV.Score(part, Alone.Tensors.Keys, window), 3, Prompt, Expected);
    }

    [Fact]
    public void Fewer_queries_than_the_window_are_taken_for_the_last_ones()
    {
        using var scope = NewDisposeScope();
        Near(
            SnapKV.Score(Alone.Part(Prompt - 2, 2).Queries, Alone.Tensors.Keys, window: 5),
            3,
            Prompt,
            (b, h, j) => j >= Prompt - 2 ? 0 : Last(2).Sum(i => Alone.Attention(b, h, i)[j])
        );
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(40)]
    public void Laq_sums_window_and_pseudo_answer(int window)
    {
        using var scope = NewDisposeScope();
        var prompt = Rows.Part(0, Prompt);
        Near(
            Laq.Score(prompt.Queries, prompt.Keys, Rows.Part(Prompt, Behind), window),
            4,
            Prompt,
            (b, h, j) => j >= Prompt - window ? 0 : Last(window).Concat(After).Sum(i => Rows.Attention(b, h, i)[j])
        );
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(40)]
    public void Speckv_takes_the_largest_weight_of_window_and_draft(int window)
    {
        using var scope = NewDisposeScope();
        var prompt = Rows.Part(0, Prompt);
        Near(
            SpecKV.Score(prompt.Queries, prompt.Keys, Rows.Part(Prompt, Behind), window),
            4,
            Prompt,
            (b, h, j) => j >= Prompt - window ? 0 : Last(window).Concat(After).Max(i => Rows.Attention(b, h, i)[j])
        );
    }

    [Fact]
    public void Windows_below_one_are_refused()
    {
        using var scope = NewDisposeScope();
        var (q, k) = (Alone.Tensors.Queries, Alone.Tensors.Keys);
        Assert.Contains("snapkv window 0", Assert.Throws<InputException>(() => SnapKV.Score(q, k, 0)).Message);
        Assert.Contains("laq window 0", Assert.Throws<InputException>(() => Laq.Score(q, k, Alone.Tensors, 0)).Message);
        Assert.Contains("speckv window 0", Assert.Throws<InputException>(() => SpecKV.Score(q, k, Alone.Tensors, 0)).Message);
    }

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

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(4)]
    public void H2o_sums_every_row(int? chunk)
    {
        using var scope = NewDisposeScope();
        Near(
            H2O.Score(Alone.Tensors.Queries, Alone.Tensors.Keys, chunk),
            3,
            Prompt,
            (b, h, j) => Enumerable.Range(j, Prompt - j).Sum(i => Alone.Attention(b, h, i)[j])
        );
    }

    [Fact]
    public void Tova_averages_the_last_row_over_the_heads()
    {
        using var scope = NewDisposeScope();
        var last = Rows.Length - 1;
        double Expected(int b, int g, int j) => Enumerable.Range(0, 4).Average(h => Rows.Attention(b, h, last)[j]);
        Near(Tova.Score(Rows.Tensors.Queries, Rows.Tensors.Keys), 2, Rows.Length, Expected);
        Near(Tova.Score(Rows.Part(last, 1).Queries, Rows.Tensors.Keys), 2, Rows.Length, Expected);
    }

    private static double Norm(IEnumerable<double> vector) => Math.Sqrt(vector.Sum(x => x * x));

    [Fact]
    public void Keynorm_is_the_negative_length()
    {
        using var scope = NewDisposeScope();
        Near(KeyNorm.Score(Rows.Tensors.Keys), 2, Rows.Length, (b, g, j) => -Norm(Rows.Key(b, g, j)));
    }

    [Fact]
    public void Keydiff_is_the_negative_cosine_to_the_mean_direction()
    {
        using var scope = NewDisposeScope();
        Near(
            KeyDiff.Score(Rows.Tensors.Keys),
            2,
            Rows.Length,
            (b, g, j) =>
            {
                double[] Unit(double[] x) => [.. x.Select(value => value / Norm(x))];
                double[][] units = [.. Enumerable.Range(0, Rows.Length).Select(i => Unit(Rows.Key(b, g, i)))];
                double[] mean = [.. Enumerable.Range(0, 6).Select(d => units.Average(u => u[d]))];
                return -Unit(mean).Zip(units[j], (m, u) => m * u).Sum();
            }
        );
        var withZero = Rows.Tensors.Keys.clone();
        withZero.narrow(2, 3, 1).zero_();
        Assert.Equal(0, KeyDiff.Score(withZero)[1, 1, 3].item<float>());
        Assert.True(KeyDiff.Score(withZero).isfinite().all().item<bool>());
    }

    [Fact]
    public void Streaming_is_the_position()
    {
        using var scope = NewDisposeScope();
        Near(StreamingLlm.Score(Rows.Tensors.Keys), 2, Rows.Length, (_, _, j) => j);
    }

    [Fact]
    public void Low_precision_rows_are_scored_in_float32()
    {
        using var scope = NewDisposeScope();
        var (q, k) = (Alone.Tensors.Queries.bfloat16(), Alone.Tensors.Keys.bfloat16());
        var v = Alone.Tensors.Values.bfloat16();
        // The same rounded rows in float32 have the same scores: no step of a score is taken in bfloat16.
        var (q32, k32, v32) = (q.@float(), k.@float(), v.@float());
        foreach (
            var score in new Func<Tensor, Tensor, Tensor, Tensor>[]
            {
                (q, k, _) => SnapKV.Score(q, k, 3),
                (q, k, _) => H2O.Score(q, k),
                (q, k, _) => Tova.Score(q, k),
                (_, k, _) => KeyNorm.Score(k),
                (_, k, _) => KeyDiff.Score(k),
                (q, k, v) => Laq.Score(q, k, new LayerRows(q, k, v), 3),
                (q, k, v) => SpecKV.Score(q, k, new LayerRows(q, k, v), 3),
                (q, k, v) => KVzip.Score(k, new LayerRows(q, k, v), 0, Prompt),
                (q, k, v) => Oracle.Score(k, new LayerRows(q, k, v)),
            }
        )
        {
            var low = score(q, k, v);
            Assert.Equal(ScalarType.Float32, low.dtype);
            Assert.InRange((low - score(q32, k32, v32)).abs().max().item<float>(), 0, 1e-5f);
        }
    }
}
