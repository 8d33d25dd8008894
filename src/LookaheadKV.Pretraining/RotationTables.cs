using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// Rotary positions as two tables [positions,1,D], for <c>x·cosine + roll(x, D/2)·sine</c>: the sine of the first half is negated, so
/// that a roll stands for rotate-half. Computed in float64, then rounded once.
/// </summary>
internal sealed class RotationTables : IDisposable
{
    public RotationTables(TrainableDecoderConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var half = config.HeadSize / 2;
        var frequencies = pow(config.RopeTheta, arange(half, dtype: ScalarType.Float64) / -half);
        var angles = outer(arange(config.MaxPositions, dtype: ScalarType.Float64), frequencies); // [positions, D/2]
        Cosine = cat([angles.cos(), angles.cos()], -1).unsqueeze(1).to(dtype).to(device).MoveToOuterDisposeScope();
        Sine = cat([-angles.sin(), angles.sin()], -1).unsqueeze(1).to(dtype).to(device).MoveToOuterDisposeScope();
    }

    public Tensor Cosine { get; }

    public Tensor Sine { get; }

    public void Dispose()
    {
        Cosine.Dispose();
        Sine.Dispose();
    }
}
