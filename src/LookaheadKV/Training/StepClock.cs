using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>Where the seconds of a training step went.</summary>
/// <param name="Prefill">The passes over the prompts.</param>
/// <param name="Decode">Generating responses.</param>
/// <param name="Target">True importance; where responses were known, the pass over prompts too.</param>
/// <param name="Backward">The module's rows, forward and backward.</param>
public sealed record StepTimes(double Prefill, double Decode, double Target, double Backward);

/// <summary>Times the parts of a training step; a part ends when its device has done it.</summary>
/// <param name="device">Where the step runs.</param>
public sealed class StepClock(Device device)
{
    private double _prefill;
    private double _decode;
    private double _target;
    private double _backward;

    /// <summary>What was timed so far.</summary>
    public StepTimes Times => new(_prefill, _decode, _target, _backward);

    internal T Prefill<T>(Func<T> part) => Timed(ref _prefill, part);

    internal T Decode<T>(Func<T> part) => Timed(ref _decode, part);

    internal T Target<T>(Func<T> part) => Timed(ref _target, part);

    internal T Backward<T>(Func<T> part) => Timed(ref _backward, part);

    private T Timed<T>(ref double seconds, Func<T> part)
    {
        var (result, elapsed) = DeviceClock.Time(device, part);
        seconds += elapsed.TotalSeconds;
        return result;
    }
}
