using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;
using TorchSharp;

namespace LookaheadKV.Evaluation.Speed;

/// <summary>How a speed benchmark runs.</summary>
public sealed record SpeedOptions
{
    /// <summary>Rounds that are measured; every policy runs once a round, and each round starts with another one, so that a drifting clock touches all alike.</summary>
    public int Runs
    {
        get;
        init => field = value.AtLeast(1, "measured rounds:", "5 is the default");
    } = 5;

    /// <summary>Rounds before them.</summary>
    public int WarmUp
    {
        get;
        init => field = value.AtLeast(0, "rounds of warm-up:", "2 is the default");
    } = 2;

    /// <summary>Tokens decoded behind each prompt, ≥ 1, after a first one that is timed by itself.</summary>
    public int DecodeTokens
    {
        get;
        init => field = value.AtLeast(1, "decoded tokens:", "32 is the default");
    } = 32;

    /// <summary>Tokens drawn behind each prompt: the first one, one whose step is timed by itself, and <see cref="DecodeTokens"/>.</summary>
    public int DrawnTokens => DecodeTokens + 2;

    /// <summary>Tokens that a cache must have room for: the last one drawn needs none.</summary>
    public int Reserve => DrawnTokens - 1;

    /// <summary>Seed of the prompts.</summary>
    public long Seed { get; init; }

    /// <summary>How layers run; default compiled.</summary>
    public Execution Execution { get; init; } = Execution.Compiled;
}

/// <summary>Time to the first token, time of a decoded token and memory, policy beside policy on the same prompt in the same process.</summary>
public static class SpeedBenchmark
{
    /// <summary>Measures policies at prompt lengths, the shortest first.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="policies">The policies with their budgets; costs are told against the one that evicts nothing, if it is among them.</param>
    /// <param name="lengths">Prompt lengths, each at most the model's context less the tokens drawn.</param>
    /// <param name="ceilings">What the device does at best; asked for behind the runs of the first length, whose memory it thus does not touch.</param>
    /// <param name="options">Rounds and tokens.</param>
    /// <param name="deviceBytes">Gives the device memory in use by this model and what was run on it; null on the CPU.</param>
    /// <param name="progress">Receives (runs done, runs in all).</param>
    /// <param name="cancellation">Looked at before every layer and token.</param>
    public static IEnumerable<SpeedRow> Run(
        Decoder decoder,
        IReadOnlyList<EvictionPolicy> policies,
        IReadOnlyList<int> lengths,
        Lazy<DeviceCeilings> ceilings,
        SpeedOptions options,
        Func<long?> deviceBytes,
        Action<int, int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var rounds = options.WarmUp + options.Runs;
        var (done, total) = (0, lengths.Count * rounds * policies.Count);
        foreach (var length in lengths.Order())
        {
            var prompt = Prompt(decoder, length, options.Seed);
            var runs = policies.Select(_ => new List<SpeedRun>()).ToArray();
            var held = new (Held First, Held Last)[policies.Count];
            for (var round = 0; round < rounds; round++)
            for (var turn = 0; turn < policies.Count; turn++)
            {
                var p = (round + turn) % policies.Count;
                var run = Measure(decoder, prompt, policies[p], options, cancellation);
                var now = new Held(deviceBytes(), DisposeScopeManager.Statistics.ThreadTotalLiveCount);
                held[p] = (round == 0 ? now : held[p].First, now);
                if (round >= options.WarmUp)
                    runs[p].Add(run);
                progress?.Invoke(++done, total);
            }
            var full = policies.Index().FirstOrDefault(policy => policy.Item.Scorer is null, (-1, null!)).Index;
            for (var p = 0; p < policies.Count; p++)
                yield return Row(decoder, policies[p], length, runs[p], full < 0 ? null : runs[full], held[p], options, ceilings.Value);
        }
    }

    /// <summary>
    /// The order statistics that enclose a median with 95 % probability, whatever the distribution; with fewer than six values, which cannot, the least and
    /// the largest.
    /// </summary>
    public static (double Low, double High) MedianInterval(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        // The number of values below the median is binomial with p = 1/2.
        var below = new Binomial(0.5, sorted.Length);
        var rank = Enumerable.Range(0, sorted.Length).TakeWhile(count => below.CumulativeDistribution(count) <= 0.025).Count();
        var from = Math.Max(0, rank - 1);
        return (sorted[from], sorted[sorted.Length - 1 - from]);
    }

    private static SpeedRun Measure(
        Decoder decoder,
        int[] prompt,
        EvictionPolicy policy,
        SpeedOptions options,
        CancellationToken cancellation
    )
    {
        Session? session = null;
        IEnumerator<int>? tokens = null;
        try
        {
            var first = DeviceClock.Seconds(
                decoder.Device,
                () =>
                {
                    session = Session.Start(decoder, prompt, policy, options.Reserve, cancellation, options.Execution);
                    // No token ends it: every run decodes as many.
                    tokens = session
                        .Draw((logits, _) => logits.argmax(-1, keepdim: true), [], options.DrawnTokens, cancellation)
                        .GetEnumerator();
                    tokens.MoveNext();
                }
            );
            var (report, resident) = (session!.Report, session.Cache.StorageBytes + session.Cache.PositionBytes);
            // The first step may prepare the others: a recording, a compilation.
            var step = DeviceClock.Seconds(decoder.Device, () => tokens!.MoveNext());
            var decode = DeviceClock.Seconds(
                decoder.Device,
                () =>
                {
                    for (var i = 0; i < options.DecodeTokens; i++)
                        tokens!.MoveNext();
                }
            );
            return new SpeedRun(1e3 * first, 1e3 * step, 1e3 * decode / options.DecodeTokens, report, resident);
        }
        finally
        {
            tokens?.Dispose();
            session?.Dispose();
        }
    }

    private static SpeedRow Row(
        Decoder decoder,
        EvictionPolicy policy,
        int length,
        List<SpeedRun> runs,
        List<SpeedRun>? full,
        (Held First, Held Last) held,
        SpeedOptions options,
        DeviceCeilings ceilings
    )
    {
        var (shape, report) = (decoder.Config, runs[^1].Report);
        var elementSize = Session.ElementSize(decoder);
        double[]? costs = full is null || policy.Scorer is null ? null : [.. runs.Zip(full, (run, whole) => run.TtftMs - whole.TtftMs)];
        return new SpeedRow(
            policy.Name,
            policy.Scorer is null ? null : policy.Budget?.ToString(),
            length,
            runs.Select(run => run.TtftMs).Median(),
            [.. runs.Select(run => run.TtftMs)],
            costs is null ? null : costs.Median(),
            costs is null ? null : MedianInterval(costs).Low,
            costs is null ? null : MedianInterval(costs).High,
            costs is null ? null : costs.Median() / full!.Select(run => run.TtftMs).Median(),
            runs.Select(run => run.DecodeMs).Median(),
            [.. runs.Select(run => run.DecodeMs)],
            report.KeptTokens,
            report.CacheBytes,
            runs[^1].ResidentBytes,
            report.PeakCacheBytes,
            held.First.Bytes,
            held.Last.Bytes,
            held.First.Tensors,
            held.Last.Tensors,
            1e3 * SpeedFloor.PrefillFlops(shape, length) / ceilings.FlopsPerSecond,
            1e3 * SpeedFloor.DecodeBytes(shape, report.KeptTokens, elementSize) / ceilings.BytesPerSecond,
            report.EvictionElapsed is null ? null : runs.Select(run => run.Report.EvictionElapsed!.Value.TotalMilliseconds).Median(),
            Memory(decoder, policy, length, report.KeptTokens, options.Reserve),
            runs.Select(run => run.FirstStepMs).Median()
        );
    }

    // Known of a pass that evicts each layer before the next: not where a policy must see them all, nor on the CPU, where memory is the system's.
    private static PrefillMemory? Memory(Decoder decoder, EvictionPolicy policy, int length, double kept, int reserve)
    {
        var observers = policy.Scorer is LookaheadScore score ? score.Module.Settings.Tokens : 0;
        return decoder.Device.type == DeviceType.CPU || policy.NeedsWholePrompt
            ? null
            : PrefillMemory.Predict(decoder.Config, length, observers, kept, reserve, Session.ElementSize(decoder));
    }

    private static int[] Prompt(Decoder decoder, int length, long seed)
    {
        var random = new Random(unchecked((int)(seed * 7919 + length)));
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(decoder.Config.VocabularySize))];
    }

    private readonly record struct Held(long? Bytes, long Tensors);

    private sealed record SpeedRun(double TtftMs, double FirstStepMs, double DecodeMs, PrefillReport Report, long ResidentBytes);
}
