using LookaheadKV.Checkpoints;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Cosines and sines of the rotary angles of some rows, each [1 or B, 1, T, D].</summary>
public readonly record struct RotaryAngles(Tensor Cos, Tensor Sin)
{
    /// <summary>Rotates queries or keys [B, heads, T, D] to these rows' positions (half-split convention of Llama).</summary>
    public Tensor Apply(Tensor x) => Operators.Rotate(x, Cos, Sin);

    /// <summary>The same for many rows whose gradient nobody asks for: no other tensor of their size is made, and float32 angles make float32 of any rows.</summary>
    public Tensor Turn(Tensor x)
    {
        using var scope = NewDisposeScope();
        var half = x.size(-1) / 2;
        var sin = Sin.narrow(-1, 0, half);
        var turned = x * Cos;
        turned.narrow(-1, 0, half).addcmul_(x.narrow(-1, half, half), sin, -1);
        turned.narrow(-1, half, half).addcmul_(x.narrow(-1, 0, half), sin, 1);
        return turned.MoveToOuterDisposeScope();
    }

    /// <summary>These rows' angles, then those of rows behind them, in one batch.</summary>
    public RotaryAngles Then(RotaryAngles next) => new(cat([Cos, next.Cos], 2), cat([Sin, next.Sin], 2));

    /// <summary>
    /// The way back: <c>angles.Inverse().Apply(angles.Apply(x))</c> is x. Each pair's 2×2 map, <c>f·[[cos, -sin], [sin, cos]]</c>, is inverted as it
    /// stands, rounding and length factor f included. In float32 even where the angles are bfloat16, so that what it is applied to becomes
    /// float32; in float64 where the angles are.
    /// </summary>
    public RotaryAngles Inverse()
    {
        using var scope = NewDisposeScope();
        var precision = Cos.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        var (cos, sin) = (Cos.to(precision), Sin.to(precision));
        var determinant = cos.square() + sin.square();
        return new((cos / determinant).MoveToOuterDisposeScope(), (sin / determinant).neg().MoveToOuterDisposeScope());
    }
}

/// <summary>
/// Rotary position embedding (Su et al., arXiv 2104.09864): the pair (x_i, x_{i+D/2}) turns by the angle <c>position · frequency_i</c>.
/// Angles are computed in float32 and cast to the model's dtype, as the reference implementations do. They are made where they are asked for,
/// so that every position has them: rows that observe or replay a prompt stand behind it and may pass the model's context.
/// </summary>
public sealed class RotaryEmbedding : IDisposable
{
    private readonly DecoderConfig _config;
    private readonly Tensor _frequencies; // [D/2] float32
    private readonly double _lengthFactor;
    private readonly ScalarType _dtype;

    /// <summary>Computes the frequencies of a model; angles will be in <paramref name="dtype"/> on <paramref name="device"/>.</summary>
    public RotaryEmbedding(DecoderConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        (_config, _dtype) = (config, dtype);
        _frequencies = RotaryFrequencies.Of(config).to(device).DetachFromDisposeScope();
        _lengthFactor = RotaryFrequencies.LengthFactor(config);
    }

    /// <summary>Angles of <paramref name="count"/> successive rows, the first at <paramref name="first"/> (any position ≥ 0), [1, 1, T, D].</summary>
    public RotaryAngles Rows(long first, long count)
    {
        using var positions = arange(first, first + count, dtype: ScalarType.Int64, device: _frequencies.device).unsqueeze(0);
        return At(positions);
    }

    /// <summary>Angles of rows at given positions [B, T] (int64, any ≥ 0), [B, 1, T, D].</summary>
    public RotaryAngles At(Tensor positions)
    {
        using var scope = NewDisposeScope();
        var angles = positions.to(ScalarType.Float32).unsqueeze(1).unsqueeze(-1) * Frequencies(positions); // [B,1,T,D/2]
        var both = cat([angles, angles], -1); // [B,1,T,D]
        return new(Cast(both.cos()).MoveToOuterDisposeScope(), Cast(both.sin()).MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose() => _frequencies.Dispose();

    private Tensor Cast(Tensor x) => (_lengthFactor == 1 ? x : x.Times(_lengthFactor)).to(_dtype);

    // [D/2], or [B,1,1,D/2] where they depend on the length of each row's sequence.
    private Tensor Frequencies(Tensor positions) =>
        _config.RopeScaling is RopeScaling.Dynamic dynamic
            ? RotaryFrequencies.Of(_config, dynamic, positions.amax(1) + 1).unsqueeze(1).unsqueeze(1)
            : _frequencies;
}
