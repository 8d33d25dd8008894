using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// Forward, backward and update on one device, without ever waiting for it: loss and gradient norm add up there until
/// <see cref="ReadWindow"/> asks for them.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly Device device;
    private readonly AdamW optimizer;
    private readonly Tensor window; // sums of loss and gradient norm [2], float32
    private int steps;

    /// <summary>Takes over <paramref name="state"/>, which must be on the device of the options.</summary>
    public TrainingStep(PretrainingPlan plan, PretrainingOptions options, OptimizerState state)
    {
        device = options.Device;
        State = state;
        Decoder = new TrainableDecoder(plan.Model, state.Weights, device, options.DataType, options.Attention, options.Fuse);
        optimizer = new AdamW(plan);
        window = zeros(2, device: device).DetachFromDisposeScope();
    }

    public TrainableDecoder Decoder { get; }

    public OptimizerState State { get; }

    /// <summary>One update.</summary>
    /// <param name="batch">Its data.</param>
    /// <param name="step">1 for the first step of the run.</param>
    /// <param name="rate">Learning rate.</param>
    public void Run(PackedBatch batch, long step, double rate)
    {
        using var scope = NewDisposeScope();
        var loss = Decoder.Loss(ToDevice(batch.Values), batch.Shape);
        var gradient = autograd.grad([loss], [Decoder.Parameters])[0];
        var norm = optimizer.Step(State, Decoder.Parameters, gradient, step, rate);
        window.add_(stack([loss.detach().to(ScalarType.Float32), norm]));
        steps++;
    }

    /// <summary>Mean loss and mean gradient norm since the last call; waits for the device.</summary>
    /// <exception cref="InputException">The training has diverged.</exception>
    public (double Loss, double GradientNorm) ReadWindow()
    {
        using var scope = NewDisposeScope();
        var sums = window.cpu().data<float>().ToArray();
        window.zero_();
        var (loss, norm) = (sums[0] / steps, sums[1] / steps);
        steps = 0;
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
            throw new InputException(
                $"the training diverged (loss {loss}, gradient norm {norm}): lower the plan's LearningRate and go on from the last checkpoint"
            );
        return (loss, norm);
    }

    public void Dispose()
    {
        Decoder.Dispose();
        optimizer.Dispose();
        State.Dispose();
        window.Dispose();
    }

    // A copy from pageable memory makes the host wait for everything queued before it; one from pinned memory does not.
    private Tensor ToDevice(long[] values) =>
        device.type == DeviceType.CPU ? tensor(values) : tensor(values).pin_memory().to(device, non_blocking: true);
}
