using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Lookahead;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>Adam (Kingma and Ba, 2015) over a module's parameters, and all that a resumed run needs.</summary>
internal sealed class LookaheadTrainingState : IDisposable
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.999;
    private const double Epsilon = 1e-8;

    private readonly IReadOnlyList<(string Name, Tensor Tensor)> _parameters;
    private readonly Tensor[] _first;
    private readonly Tensor[] _second;

    private readonly RunSettings _settings;
    private IReadOnlyList<TrainingSchedule> _schedules;

    private LookaheadTrainingState(LookaheadModule module, LookaheadTrainerOptions options)
    {
        (_settings, _schedules) = (options.Settings, [new(0, options.Steps)]);
        _parameters = [.. LookaheadFiles.Named(module)];
        _first = [.. _parameters.Select(p => zeros_like(p.Tensor).DetachFromDisposeScope())];
        _second = [.. _parameters.Select(p => zeros_like(p.Tensor).DetachFromDisposeScope())];
    }

    public long Step { get; private set; }

    public double Seconds { get; set; }

    /// <summary>State at the folder's checkpoint, or at the start.</summary>
    /// <exception cref="InputException">The checkpoint is of other settings, or has more steps than are wanted.</exception>
    public static LookaheadTrainingState Begin(LookaheadModule module, LookaheadTrainerOptions options)
    {
        var state = new LookaheadTrainingState(module, options);
        if (options.Folder is not { } folder || TrainingProgress.Of(folder) is not { } there)
            return state;
        there.Require(folder, options.Settings, options.Steps);
        state.Load(TrainingProgress.FileIn(folder));
        (state.Step, state.Seconds) = (there.Step, there.Seconds);
        // Of a schedule that no step was taken on, nothing is left.
        var taken = there.Schedules.Where(schedule => schedule.From < there.Step).ToList();
        state._schedules = taken.LastOrDefault()?.Steps == options.Steps ? taken : [.. taken, new(there.Step, options.Steps)];
        return state;
    }

    /// <summary>One Adam step from the accumulated gradients, which are cleared.</summary>
    /// <param name="rate">Learning rate.</param>
    /// <param name="clipNorm">Longer gradients are shortened to this norm, all parameters taken as one vector; null leaves them.</param>
    public void Update(double rate, double? clipNorm = null)
    {
        using var noGrad = no_grad();
        if (clipNorm is { } norm)
            Clip(norm);
        Step++;
        // Numbers of the operators, alive until the step is done: see Numbers.
        using Scalar decay1 = Beta1.ToScalar(),
            decay2 = Beta2.ToScalar(),
            share1 = (1 - Beta1).ToScalar(),
            share2 = (1 - Beta2).ToScalar(),
            correction2 = (1 - Math.Pow(Beta2, Step)).ToScalar(),
            epsilon = Epsilon.ToScalar(),
            change = (-rate / (1 - Math.Pow(Beta1, Step))).ToScalar();
        foreach (var ((_, parameter), first, second) in _parameters.Zip(_first, _second))
        {
            using var scope = NewDisposeScope();
            if (parameter.grad is not { } gradient)
                continue; // without LoRA on some path a parameter may not reach the loss
            first.mul_(decay1).add_(gradient, alpha: share1);
            second.mul_(decay2).addcmul_(gradient, gradient, share2);
            parameter.addcdiv_(first, second.div(correction2).sqrt().add(epsilon), change);
            gradient.zero_();
        }
    }

    private void Clip(double norm)
    {
        using var scope = NewDisposeScope();
        Tensor[] gradients = [.. _parameters.Select(p => p.Tensor.grad).OfType<Tensor>()];
        if (gradients.Length == 0)
            return;
        // The factor stays on the device: nothing waits for it.
        var factor = stack([.. gradients.Select(g => g.square().sum())]).sum().sqrt().add(1e-12).pow(-1).mul(norm).clamp_max(1);
        foreach (var gradient in gradients)
            gradient.mul_(factor);
    }

    /// <summary>Writes the checkpoint, whole or not at all.</summary>
    public void Save(string? folder)
    {
        if (folder is null)
            return;
        Directory.CreateDirectory(folder);
        Safetensors.Write(
            TrainingProgress.FileIn(folder),
            Tensors(),
            new TrainingProgress(Step, Seconds, _settings, _schedules).ToMetadata()
        );
    }

    public void Dispose()
    {
        foreach (var tensor in _first.Concat(_second))
            tensor.Dispose();
    }

    private IEnumerable<(string Name, Tensor Tensor)> Tensors() =>
        _parameters
            .Concat(_parameters.Zip(_first, (p, t) => ("first_moment." + p.Name, t)))
            .Concat(_parameters.Zip(_second, (p, t) => ("second_moment." + p.Name, t)));

    private void Load(string path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        foreach (var (name, tensor) in Tensors())
        {
            if (!file.Names.Contains(name) || !file.Info(name).Shape.SequenceEqual(tensor.shape))
                throw new InputException(
                    $"{path}: {name} is missing or of another shape; the checkpoint belongs to other settings: choose another folder."
                );
            tensor.copy_(file.Read(name));
        }
    }
}
