using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Cosines and sines of the rotary angles of some rows, each [1 or B, 1, T, D].</summary>
public readonly record struct RotaryAngles(Tensor Cos, Tensor Sin)
{
    /// <summary>Rotates queries or keys [B, heads, T, D] to these rows' positions (half-split convention of Llama).</summary>
    public Tensor Apply(Tensor x) => Operators.Rotate(x, Cos, Sin);
}

/// <summary>
/// Rotary position embedding (Su et al., arXiv 2104.09864): the pair (x_i, x_{i+D/2}) turns by the angle <c>position · θ^(-2i/D)</c>.
/// Angles are computed in float32 once and cast to the model's dtype, as the reference implementations do.
/// </summary>
public sealed class RotaryEmbedding : IDisposable
{
    // Observer rows stand after the prompt and may pass the model's trained length by their own number.
    private const int RowsBeyondContext = 1024;

    private readonly Tensor _cos;
    private readonly Tensor _sin;

    /// <summary>Computes the tables for all positions a model can see, [positions, D] in <paramref name="dtype"/>.</summary>
    public RotaryEmbedding(DecoderConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var frequencies = pow(config.RopeTheta, arange(0, config.HeadSize, 2, dtype: ScalarType.Float32).div(config.HeadSize)).reciprocal();
        var angles = outer(arange(config.MaxPositions + RowsBeyondContext, dtype: ScalarType.Float32), frequencies); // [positions, D/2]
        var both = cat([angles, angles], -1); // [positions, D]
        _cos = both.cos().to(dtype).to(device).DetachFromDisposeScope();
        _sin = both.sin().to(dtype).to(device).DetachFromDisposeScope();
    }

    /// <summary>Angles of <paramref name="count"/> successive rows, the first at <paramref name="first"/>: views, [1, 1, T, D].</summary>
    public RotaryAngles Rows(long first, long count) => new(Slice(_cos, first, count), Slice(_sin, first, count));

    /// <summary>Angles of rows at given positions [B, T] (int64): copies, [B, 1, T, D].</summary>
    public RotaryAngles At(Tensor positions) => new(_cos[positions].unsqueeze(1), _sin[positions].unsqueeze(1));

    /// <inheritdoc/>
    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }

    private static Tensor Slice(Tensor table, long first, long count)
    {
        if (first + count > table.size(0))
            throw new InputException(
                $"position {first + count - 1} is beyond the model's context of {table.size(0) - RowsBeyondContext} tokens; shorten the prompt."
            );
        return table.narrow(0, first, count).unsqueeze(0).unsqueeze(0);
    }
}
