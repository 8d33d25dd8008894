using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Scoring;
using MathNet.Numerics.Statistics;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation.Speed;

/// <summary>Time of one step of evicting one layer.</summary>
/// <param name="Step">score, select or compact.</param>
/// <param name="Length">N, tokens of the prompt.</param>
/// <param name="Ms">Milliseconds, median over the runs.</param>
/// <param name="Runs">Every run: the mean of a number of calls in a row, so that launches overlap as they do in a prefill.</param>
/// <param name="FloorMs">Bytes that the step must read and write at the measured ceiling.</param>
public sealed record StepRow(string Step, int Length, double Ms, IReadOnlyList<double> Runs, double FloorMs);

/// <summary>What the steps of an eviction take, one by one, against the prompt's length: LookaheadKV's on one layer of a shape, with random rows.</summary>
public static class EvictionSteps
{
    private const int CallsInARow = 20;

    /// <summary>The steps, in order.</summary>
    public static IReadOnlyList<string> Names { get; } = ["score", "select", "compact"];

    /// <summary>Measures the steps at prompt lengths.</summary>
    /// <param name="shape">The model whose layer it is.</param>
    /// <param name="lengths">Prompt lengths, each above <paramref name="kept"/>.</param>
    /// <param name="kept">C, entries kept a head.</param>
    /// <param name="device">Where.</param>
    /// <param name="dtype">Type of queries, keys and values.</param>
    /// <param name="options">Rounds; decoded tokens are not looked at.</param>
    /// <param name="ceilings">What the device does at best.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <exception cref="InputException">A length is not above the budget.</exception>
    public static IEnumerable<StepRow> Measure(
        DecoderConfig shape,
        IReadOnlyList<int> lengths,
        int kept,
        Device device,
        ScalarType dtype,
        SpeedOptions options,
        DeviceCeilings ceilings,
        CancellationToken cancellation = default
    )
    {
        if (lengths.Min() <= kept)
            throw new InputException(
                $"{kept} entries of {lengths.Min()} tokens are all of them: give longer --lengths or a smaller budget."
            );
        return lengths.Order().SelectMany(length => At(shape, length, kept, device, dtype, options, ceilings, cancellation));
    }

    private static StepRow[] At(
        DecoderConfig shape,
        int length,
        int kept,
        Device device,
        ScalarType dtype,
        SpeedOptions options,
        DeviceCeilings ceilings,
        CancellationToken cancellation
    )
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (h, g, d, n) = (shape.QueryHeads, shape.KeyValueHeads, shape.HeadSize, new LookaheadSettings().Tokens);
        var (joined, values) = (Rows(g, length + n), Rows(g, length));
        var keys = joined.narrow(2, 0, length);
        var lookahead = new LayerRows(Rows(h, n), joined.narrow(2, length, n), Rows(g, n)) { JoinedKeys = joined };
        var scores = Score();
        using var set = Selection.Top(scores, kept);
        // Read or written at least: every key once; every score once; every kept key and value twice.
        var (key, score) = ((double)g * d * keys.element_size(), (double)g * sizeof(float));
        return
        [
            Time(Names[0], () => Score().Dispose(), key * length),
            Time(Names[1], Select, score * length),
            Time(Names[2], () => Compaction.Keep(keys, values, set).Dispose(), 4 * key * kept),
        ];

        Tensor Rows(long heads, long count) => randn(1, heads, count, d, device: device).to(dtype);

        Tensor Score()
        {
            using var inner = NewDisposeScope();
            return Grouping.Reduce(LookaheadScore.Score(keys, lookahead), g).MoveToOuterDisposeScope();
        }

        void Select()
        {
            using var check = new RankCheck();
            Selection.Top(scores, kept, Protection.None, check).Dispose();
        }

        StepRow Time(string step, Action work, double bytes)
        {
            cancellation.ThrowIfCancellationRequested();
            for (var i = 0; i < options.WarmUp; i++)
                InARow();
            double[] runs = [.. Enumerable.Range(0, options.Runs).Select(_ => 1e3 * DeviceClock.Seconds(device, InARow) / CallsInARow)];
            return new(step, length, runs.Median(), runs, 1e3 * bytes / ceilings.BytesPerSecond);

            void InARow()
            {
                for (var i = 0; i < CallsInARow; i++)
                    work();
            }
        }
    }
}
