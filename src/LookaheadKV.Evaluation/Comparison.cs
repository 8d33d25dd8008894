using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation;

/// <summary>What is compared on what.</summary>
public sealed record CompareOptions
{
    /// <summary>Policies, without budgets. The full cache and the oracle's kept set are always computed; they are reported where listed.</summary>
    public required IReadOnlyList<EvictionPolicy> Policies { get; init; }

    /// <summary>Budgets at which every policy is run.</summary>
    public required IReadOnlyList<Budget> Budgets { get; init; }

    /// <summary>Names of the tasks.</summary>
    public IReadOnlyList<string> Tasks { get; init; } = TaskNames.All;

    /// <summary>Upper bound of a prompt's tokens; prompts come within about 16 of it.</summary>
    public int Length
    {
        get;
        init => field = value.AtLeast(1, "prompt length", "2048 tokens is the default");
    } = 2048;

    /// <summary>Prompts a task.</summary>
    public int Samples
    {
        get;
        init => field = value.AtLeast(1, "samples:", "give at least 1 prompt a task");
    } = 12;

    /// <summary>Seed of the prompts.</summary>
    public long Seed { get; init; }

    /// <summary>How layers run; default compiled.</summary>
    public Execution Execution { get; init; } = Execution.Compiled;

    /// <summary>Whether the question is part of the prompt that is scored.</summary>
    public QueryMode Query { get; init; } = QueryMode.Aware;

    /// <summary>Tokens of the full cache's answer over which <see cref="Fidelity"/> is measured too, 1 or more; null does not measure it.</summary>
    public int? FidelityTokens
    {
        get;
        init => field = value?.AtLeast(1, "fidelity tokens", "64 is usual");
    }
}

/// <summary>One prompt under one policy and budget.</summary>
/// <param name="Task">The prompt's task.</param>
/// <param name="Sample">The prompt's number within its task.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Method">The name of its scorer's method, whatever the policy is called; <c>full</c> where nothing is evicted.</param>
/// <param name="Budget">The budget as written; null for the full cache.</param>
/// <param name="Metric">What scored the answer: <see cref="MetricNames"/>.</param>
/// <param name="Score">Score of the greedy answer, 0..1; null where no right answer is known.</param>
/// <param name="OracleOverlap">Share of the oracle's kept set that was kept, mean over layers and heads.</param>
/// <param name="CacheBytes">Bytes of the prompt's entries that are kept.</param>
/// <param name="EvictionMs">Milliseconds for observing (a draft or a replay with it), scoring, selecting and compacting, all layers; of the oracle without its answer, which the comparison has made already.</param>
/// <param name="Fidelity">How near the cache stays to the full one; null where it was not measured.</param>
public sealed record PromptResult(
    string Task,
    int Sample,
    string Policy,
    string Method,
    string? Budget,
    string Metric,
    double? Score,
    double OracleOverlap,
    long CacheBytes,
    double EvictionMs,
    FidelityScores? Fidelity = null
);

/// <summary>How far a comparison is.</summary>
/// <param name="Done">Prompts done.</param>
/// <param name="Total">Prompts in all.</param>
/// <param name="Task">Task of the latest prompt.</param>
/// <param name="Latest">Its results.</param>
public sealed record CompareProgress(int Done, int Total, string Task, IReadOnlyList<PromptResult> Latest);

/// <summary>Runs tasks under every policy and budget; one prefill of a prompt serves them all.</summary>
public static class Comparison
{
    // Of a model's own answer to a synthetic task, which is right or not long before.
    private const int LongestAnswer = 256;

    /// <summary>Runs the comparison, sample by sample over all tasks, so that a cancelled run is balanced.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="encoder">Its tokenizer.</param>
    /// <param name="options">What is compared on what.</param>
    /// <param name="progress">Receives every prompt.</param>
    /// <param name="cancellation">Looked at before every prompt.</param>
    /// <exception cref="InputException">A prompt with its answer does not fit the model, or a budget cannot hold what a policy protects.</exception>
    public static IReadOnlyList<PromptResult> Run(
        Decoder decoder,
        PieceEncoder encoder,
        CompareOptions options,
        IProgress<CompareProgress>? progress = null,
        CancellationToken cancellation = default
    ) => Run(decoder, [.. options.Tasks.Select(task => PromptSource.OfTask(task, options, encoder))], options, progress, cancellation);

    /// <summary>Runs the comparison on prompts from anywhere, sample by sample over all sources.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="sources">The tasks; of each, the first prompts are run, as many as are wanted or as there are.</param>
    /// <param name="options">What is compared; its tasks are not looked at.</param>
    /// <param name="progress">Receives every prompt.</param>
    /// <param name="cancellation">Looked at before every prompt.</param>
    /// <param name="earlier">Results of the first prompts, from a run that stopped: they are taken as they are.</param>
    /// <exception cref="InputException">A prompt with its answer does not fit the model, or a budget cannot hold what a policy protects.</exception>
    public static IReadOnlyList<PromptResult> Run(
        Decoder decoder,
        IReadOnlyList<PromptSource> sources,
        CompareOptions options,
        IProgress<CompareProgress>? progress = null,
        CancellationToken cancellation = default,
        IReadOnlyList<IReadOnlyList<PromptResult>>? earlier = null
    )
    {
        var results = new List<PromptResult>();
        var (done, total) = (0, sources.Sum(source => Math.Min(options.Samples, source.Count)));
        for (var sample = 0; sample < options.Samples; sample++)
            foreach (var source in sources.Where(source => sample < source.Count))
            {
                cancellation.ThrowIfCancellationRequested();
                IReadOnlyList<PromptResult> latest =
                    done < earlier?.Count ? earlier[done] : [.. One(decoder, source.Prompt(sample), sample, options, cancellation)];
                results.AddRange(latest);
                progress?.Report(new CompareProgress(++done, total, source.Task, latest));
            }
        return results;
    }

    /// <summary>One prompt under the full cache and under every policy and budget.</summary>
    public static IEnumerable<PromptResult> One(
        Decoder decoder,
        ComparedPrompt prompt,
        int number,
        CompareOptions options,
        CancellationToken cancellation = default
    )
    {
        Require(decoder, prompt, options);
        using var scope = NewDisposeScope();
        var scored = prompt.Scored;
        using var trace = new PromptTrace(
            decoder,
            scored,
            prompt.Guess,
            prompt.Question,
            prompt.Guess is null ? prompt.AnswerTokens : LongestAnswer,
            cancellation,
            options.Execution
        );
        var (config, elementSize) = (decoder.Config, Session.ElementSize(decoder));
        var best = trace.Scores(Oracle.Method.Policy(), scored.Length);
        using var fidelity = options.FidelityTokens is { } tokens ? Fidelity.Of(decoder, trace, tokens, cancellation) : null;
        var room = Room(prompt, options);
        var fullBytes = scored.Length * config.CacheBytesPerToken(elementSize);
        var results = new List<PromptResult>
        {
            new(
                prompt.Task,
                number,
                EvictionPolicy.Full.Name,
                EvictionPolicy.Full.Name,
                null,
                prompt.Metric,
                prompt.Score(trace.Response),
                1,
                fullBytes,
                0,
                fidelity?.Of(null)
            ),
        };

        foreach (var policy in options.Policies.Where(p => p.Scorer is not null))
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            (IReadOnlyList<Tensor> Value, double Milliseconds)? scores = null;
            foreach (var budget in options.Budgets)
            {
                using var step = NewDisposeScope();
                var entries = budget.EntriesFor(scored.Length, config, elementSize, policy.Protection.Count(scored.Length));
                if (scores is null || policy.Scorer is IWholePromptScorer { ReadsBudget: true })
                {
                    scores = Timed(decoder, () => trace.Scores(policy, entries / config.Layers));
                    foreach (var layer in scores.Value.Value)
                        layer.MoveToOuterDisposeScope();
                }
                var (layers, scoring) = scores.Value;
                var (evicted, evicting) = Timed(
                    decoder,
                    () =>
                    {
                        var kept = PromptEviction.Select(policy, layers, entries);
                        return (Kept: kept, Cache: trace.Evict(kept, room));
                    }
                );
                using var cache = evicted.Cache;
                var (bytes, overlap) = (cache.Bytes, OracleOverlap(evicted.Kept, best, entries));
                var near = fidelity?.Of(cache, evicted.Kept);
                foreach (var set in evicted.Kept)
                    set.Dispose();
                var score = prompt.Score(trace, cache, cancellation);
                var milliseconds = scoring + evicting;
                results.Add(
                    new(
                        prompt.Task,
                        number,
                        policy.Name,
                        policy.Scorer!.Name,
                        budget.ToString(),
                        prompt.Metric,
                        score,
                        overlap,
                        bytes,
                        milliseconds,
                        near
                    )
                );
            }
        }
        return results;
    }

    // Tokens that may follow what is scored: the question, and an answer.
    private static int Room(ComparedPrompt prompt, CompareOptions options) =>
        prompt.Question.Length + Math.Max(prompt.AnswerTokens, options.FidelityTokens ?? 0);

    private static void Require(Decoder decoder, ComparedPrompt prompt, CompareOptions options)
    {
        var needed = prompt.Scored.Length + Room(prompt, options);
        if (decoder.Config.MaxPositions is var context && needed > context)
            throw new InputException(
                $"a {prompt.Task} prompt with its answer takes {needed} tokens, the model's context is {context}; lower --length."
            );
    }

    // |kept ∩ oracle's kept| / |oracle's kept|, the oracle keeping equally many in every layer and head.
    private static double OracleOverlap(IReadOnlyList<KeptSet> kept, IReadOnlyList<Tensor> oracle, long entries)
    {
        using var scope = NewDisposeScope();
        var count = entries / oracle.Count;
        var shared = kept.Zip(
            oracle,
            (set, scores) =>
            {
                using var best = Selection.Top(scores, count);
                var length = scores.size(-1);
                return set.Mask(length).logical_and(best.Mask(length)).sum();
            }
        );
        return (double)stack([.. shared]).sum().cpu().item<long>() / (count * oracle.Sum(scores => scores.size(1)));
    }

    private static (T Value, double Milliseconds) Timed<T>(Decoder decoder, Func<T> run)
    {
        var (value, elapsed) = DeviceClock.Time(decoder.Device, run);
        return (value, elapsed.TotalMilliseconds);
    }
}
