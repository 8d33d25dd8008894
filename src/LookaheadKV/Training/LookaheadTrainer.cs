using System.Diagnostics;
using LookaheadKV.Files;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>A prompt and, where there is one, a response to it.</summary>
/// <param name="Prompt">Token ids, N.</param>
/// <param name="Response">The data set's response; empty where it has none. What becomes of it is for <see cref="LookaheadTrainerOptions.Responses"/> to say.</param>
public sealed record LookaheadExample(int[] Prompt, int[] Response);

/// <summary>Gives the examples of a step: a pure function of the step, so that a resumed run sees what an unbroken one would.</summary>
public delegate IReadOnlyList<LookaheadExample> ExampleSource(long step);

/// <summary>How a module is trained; the defaults are the paper's where it states them.</summary>
public sealed record LookaheadTrainerOptions
{
    /// <summary>Steps in all (the paper: 7,600).</summary>
    public int Steps
    {
        get;
        init => field = value.AtLeast(0, "training steps:", "the paper takes 7600");
    } = 7600;

    /// <summary>Peak learning rate (the paper: 1e-3 for Llama, 2e-4 for Qwen).</summary>
    public double LearningRate
    {
        get;
        init => field = value.AboveZero("learning rate", "the paper uses 1e-3 and 2e-4");
    } = 1e-3;

    /// <summary>Steps of linear warm-up; the paper does not state any.</summary>
    public int WarmUpSteps
    {
        get;
        init => field = value.AtLeast(0, "steps of warm-up:", "20 is the default");
    } = 20;

    /// <summary>Share of the peak rate at which the cosine ends; the paper does not state a schedule.</summary>
    public double FinalShare
    {
        get;
        init => field = value.Within(0, 1, "final share of the learning rate", "0.02 is the default");
    } = 0.02;

    /// <summary>
    /// Where responses come from. Null: an example's own is a guess of the model's greedy one and verified in the training pass; where the model
    /// would have said something else, or there is no guess, its greedy answer is generated.
    /// </summary>
    public IResponses? Responses { get; init; }

    /// <summary>Longest response that is generated in a guess's place (the paper: 512).</summary>
    public int MaxResponse
    {
        get;
        init => field = value.AtLeast(1, "longest response:", "the paper uses 512 tokens");
    } = 512;

    /// <summary>How layers run, of prompts and of what is generated here; default compiled.</summary>
    public Execution Execution { get; init; } = Execution.Compiled;

    /// <summary>What the loss is; default the paper's KL divergence.</summary>
    public LookaheadObjective Objective { get; init; } = LookaheadObjective.Kl;

    /// <summary>What true importance is; default the response's attention.</summary>
    public TrainingTarget Target { get; init; } = TrainingTarget.Attention;

    /// <summary>Longer gradients, over all parameters, are shortened to this norm; null leaves them, as the paper states none.</summary>
    public double? ClipNorm
    {
        get;
        init => field = value.AboveZero("norm that gradients are shortened to", "leave it out for none");
    }

    /// <summary>Which parameters change; default all.</summary>
    public TrainedPart Trained { get; init; } = TrainedPart.All;

    /// <summary>Most prompts of one length that share a pass; the gradients of a step's passes add up. A pass holds the activations of all of its prompts.</summary>
    public int PassSize
    {
        get;
        init => field = value.AtLeast(1, "prompts a pass:", "32 is the default");
    } = 32;

    /// <summary>Minutes this piece may take; null for no limit. The next call goes on from the checkpoint.</summary>
    public double? Minutes
    {
        get;
        init => field = value.AtLeast(0, "minutes:", "leave them out for no limit");
    }

    /// <summary>Folder of the checkpoint; null trains without one.</summary>
    public string? Folder { get; init; }

    /// <summary>
    /// What the training depends on beside its steps: the model, the data, the recipe. They are kept in the checkpoint, and a checkpoint of others is refused.
    /// </summary>
    public RunSettings Settings { get; init; } = RunSettings.None;

    /// <summary>Steps between two checkpoints at most; one is always written at the end of a piece.</summary>
    public int CheckpointEvery
    {
        get;
        init => field = value.AtLeast(1, "steps between checkpoints:", "500 is the default");
    } = 500;

    /// <summary>Minutes between two checkpoints at most.</summary>
    public double CheckpointMinutes
    {
        get;
        init => field = value.AtLeast(0, "minutes between checkpoints:", "10 is the default");
    } = 10;

    /// <summary>Learning rate of a step, 0-based.</summary>
    public double RateAt(long step)
    {
        var warm = Math.Min(1, (step + 1.0) / Math.Max(1, WarmUpSteps));
        var cosine = 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)step / Steps)));
        return LearningRate * warm * (FinalShare + (1 - FinalShare) * cosine);
    }
}

/// <summary>One step of a training run.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps planned.</param>
/// <param name="Loss">The objective, KL divergence in nats unless another was chosen: mean over the step's examples, layers and query heads.</param>
/// <param name="LearningRate">Rate of the step.</param>
/// <param name="Generated">Responses that had to be generated in this step.</param>
/// <param name="Seconds">Seconds over all pieces.</param>
/// <param name="Tokens">Tokens of the step's prompts.</param>
/// <param name="Times">Where the step's seconds went.</param>
public sealed record LookaheadTrainingPoint(
    long Step,
    int Steps,
    double Loss,
    double LearningRate,
    int Generated,
    double Seconds,
    long Tokens = 0,
    StepTimes? Times = null
);

/// <summary>
/// Trains lookahead tokens and LoRA on the true importance of responses. The base model stays frozen; gradients exist for the n lookahead
/// rows alone, which run over the prompt's keys and values.
/// </summary>
public static class LookaheadTrainer
{
    /// <summary>Name of the loss curve within a run's folder: a <see cref="LookaheadTrainingPoint"/> a line.</summary>
    public const string CurveFile = "curve.jsonl";

    /// <summary>Trains <paramref name="module"/> in place, from the folder's checkpoint if there is one.</summary>
    /// <param name="decoder">The frozen model, on the module's device.</param>
    /// <param name="module">The module; its parameters change.</param>
    /// <param name="source">Examples of each step.</param>
    /// <param name="options">Schedule, limits, checkpoint.</param>
    /// <param name="progress">Receives every step.</param>
    /// <param name="cancellation">Looked at before every layer and token; a checkpoint of the last whole step is written first.</param>
    /// <returns>Whether all steps are done.</returns>
    /// <exception cref="InputException">The training diverged, or the checkpoint is of other settings or has more steps than are wanted.</exception>
    public static bool Run(
        Decoder decoder,
        LookaheadModule module,
        ExampleSource source,
        LookaheadTrainerOptions options,
        IProgress<LookaheadTrainingPoint>? progress = null,
        CancellationToken cancellation = default
    )
    {
        using var state = LookaheadTrainingState.Begin(module, options);
        var curve = options.Folder is { } folder ? Path.Combine(folder, CurveFile) : null;
        if (curve is not null)
            JsonLines.Keep<LookaheadTrainingPoint>(curve, point => point.Step <= state.Step);
        foreach (var parameter in module.Parameters)
            parameter.requires_grad_(options.Trained == TrainedPart.All || !ReferenceEquals(parameter, module.Embeddings));
        var (clock, saved) = (Stopwatch.StartNew(), TimeSpan.Zero);
        var before = state.Seconds;
        using var ahead = new ReadAhead(source, state.Step, options.Steps);
        try
        {
            while (state.Step < options.Steps && !(clock.Elapsed.TotalMinutes >= options.Minutes) && !cancellation.IsCancellationRequested)
            {
                var rate = options.RateAt(state.Step);
                var examples = ahead.Next();
                var times = new StepClock(decoder.Device);
                var (loss, generated) = Accumulate(decoder, module, examples, options, times, cancellation);
                if (!double.IsFinite(loss))
                    throw new InputException(
                        $"the training diverged at step {state.Step} (loss {loss}): lower the learning rate {options.LearningRate} and go on from the checkpoint."
                    );
                state.Update(rate, options.ClipNorm);
                state.Seconds = before + clock.Elapsed.TotalSeconds;
                var point = new LookaheadTrainingPoint(
                    state.Step,
                    options.Steps,
                    loss,
                    rate,
                    generated,
                    state.Seconds,
                    examples.Sum(example => (long)example.Prompt.Length),
                    times.Times
                );
                if (curve is not null)
                    JsonLines.Append(curve, point);
                progress?.Report(point);
                if (state.Step % options.CheckpointEvery == 0 || (clock.Elapsed - saved).TotalMinutes >= options.CheckpointMinutes)
                {
                    state.Save(options.Folder);
                    saved = clock.Elapsed;
                }
            }
            cancellation.ThrowIfCancellationRequested();
            state.Save(options.Folder);
            return state.Step >= options.Steps;
        }
        catch (OperationCanceledException)
        {
            state.Save(options.Folder); // the step that was cut short has changed no parameter
            throw;
        }
        finally
        {
            using var scope = NewDisposeScope(); // each look at a gradient is a tensor of its own
            foreach (var parameter in module.Parameters)
            {
                parameter.grad?.zero_();
                parameter.requires_grad_(false);
            }
        }
    }

    /// <summary>The loss of a module on prompts with a known target, a scalar with gradients.</summary>
    public static Tensor Loss(
        Decoder decoder,
        LookaheadModule module,
        LookaheadTarget target,
        LookaheadObjective objective = LookaheadObjective.Kl,
        TrainingTarget truth = TrainingTarget.Attention
    )
    {
        using var scope = NewDisposeScope();
        var (batch, length) = (target.Prompt[0].Keys.size(0), target.Prompt[0].Keys.size(2));
        var losses = new List<Tensor>();
        using var pass = new ObserverPass(decoder, module, batch, length, Layer);
        target.Prompt.HandTo(pass);
        return stack([.. losses]).mean().MoveToOuterDisposeScope();

        void Layer(int layer, LayerRows prompt, LayerRows rows)
        {
            var predicted = LookaheadScore.Score(prompt.Keys, rows, module.Settings.Rows);
            losses.Add(LookaheadLoss.Layer(True(layer, prompt), predicted, objective).MoveToOtherDisposeScope(scope));
        }

        Tensor True(int layer, LayerRows prompt) =>
            truth == TrainingTarget.Written
                ? target.Importance[layer] * WrittenNorm.Of(decoder, layer, prompt.Values)
                : target.Importance[layer];
    }

    // Prompts of one length share a pass; the gradients of all passes add up to that of the mean over examples.
    private static (double Loss, int Generated) Accumulate(
        Decoder decoder,
        LookaheadModule module,
        IReadOnlyList<LookaheadExample> examples,
        LookaheadTrainerOptions options,
        StepClock clock,
        CancellationToken cancellation
    )
    {
        var (total, generated) = (0.0, 0);
        var before = options.Responses?.Generated ?? 0;
        if (options.Responses is { } responses)
            foreach (var pass in examples.GroupBy(e => e.Prompt.Length).SelectMany(group => group.Chunk(options.PassSize)))
                using (var target = responses.Target(decoder, pass, clock, cancellation, options.Execution))
                    total += Backward(target, pass.Length);
        else
            foreach (var group in examples.GroupBy(e => (e.Prompt.Length, Guessed: e.Response.Length > 0)))
            foreach (var waiting in group.Chunk(options.PassSize))
            foreach (var example in group.Key.Guessed ? Guesses(waiting) : waiting)
            {
                var response = clock.Decode(() =>
                    Session.GreedyResponse(decoder, example.Prompt, options.MaxResponse, cancellation, options.Execution)
                );
                using var target = Target([example.Prompt], [response]);
                total += Backward(target, 1);
                generated++;
            }
        return (total / examples.Count, generated + (int)((options.Responses?.Generated ?? 0) - before));

        // Trains on those whose guess is what the model says; the others are given back.
        LookaheadExample[] Guesses(LookaheadExample[] waiting)
        {
            using var target = Target([.. waiting.Select(e => e.Prompt)], [.. waiting.Select(e => e.Response)]);
            int[] stand = [.. Enumerable.Range(0, waiting.Length).Where(i => target.IsGreedy![i])];
            if (stand.Length == waiting.Length)
                total += Backward(target, stand.Length);
            else if (stand.Length > 0)
            {
                using var some = target.Select(stand);
                total += Backward(some, stand.Length);
            }
            return [.. waiting.Where((_, i) => !stand.Contains(i))];
        }

        LookaheadTarget Target(int[][] prompts, int[][] responses) =>
            clock.Target(() => LookaheadTarget.Compute(decoder, prompts, responses, cancellation, options.Execution));

        double Backward(LookaheadTarget target, int rows) =>
            clock.Backward(() =>
            {
                using var scope = NewDisposeScope();
                var loss = Loss(decoder, module, target, options.Objective, options.Target);
                (loss * ((double)rows / examples.Count)).backward();
                return loss.item<float>() * rows;
            });
    }

    /// <summary>Makes the next steps' examples on other threads.</summary>
    private sealed class ReadAhead(ExampleSource source, long first, int steps) : IDisposable
    {
        private const int Depth = 16;
        private readonly Queue<Task<IReadOnlyList<LookaheadExample>>> _queue = [];
        private long _next = first;

        public IReadOnlyList<LookaheadExample> Next()
        {
            for (; _queue.Count < Depth && _next < steps; _next++)
            {
                var step = _next;
                _queue.Enqueue(Task.Run(() => source(step)));
            }
            return _queue.Dequeue().GetAwaiter().GetResult();
        }

        public void Dispose() => Task.WhenAll(_queue).ContinueWith(_ => { }).Wait();
    }
}
