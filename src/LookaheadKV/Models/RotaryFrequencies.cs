using LookaheadKV.Checkpoints;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>
/// The frequencies (radians a position) of the D/2 rotary pairs of a model, <c>θ^(-2i/D)</c> before scaling, in float32 and in the order of
/// operations of transformers, so that rounding agrees too.
/// </summary>
public static class RotaryFrequencies
{
    /// <summary>Frequencies [D/2] (float32, CPU) of a model whose frequencies do not depend on the sequence; of <see cref="RopeScaling.Dynamic"/> those within its original context.</summary>
    public static Tensor Of(DecoderConfig config)
    {
        using var scope = NewDisposeScope();
        var plain = pow(config.RopeTheta, Exponents(config, CPU)).reciprocal();
        var scaled = config.RopeScaling switch
        {
            RopeScaling.Linear(var factor) => plain / factor,
            RopeScaling.Llama3 llama => Blend(plain, llama),
            RopeScaling.Yarn yarn => Blend(config, yarn),
            _ => plain,
        };
        return scaled.MoveToOuterDisposeScope();
    }

    /// <summary>Frequencies [B, D/2] (float32) of rows of sequences that are <paramref name="lengths"/> [B] (int64) long: <c>θ·(f·length/original - (f - 1))^(D/(D-2))</c> is their base.</summary>
    public static Tensor Of(DecoderConfig config, RopeScaling.Dynamic scaling, Tensor lengths)
    {
        using var scope = NewDisposeScope();
        var (factor, size) = (scaling.Factor, (double)config.HeadSize);
        var longest = lengths.clamp_min(scaling.OriginalPositions).to(ScalarType.Float32);
        var growth = (longest * factor / scaling.OriginalPositions - (factor - 1)).pow(size / (size - 2));
        var bases = (growth * config.RopeTheta).unsqueeze(-1); // [B,1]
        return bases.pow(Exponents(config, lengths.device)).reciprocal().MoveToOuterDisposeScope();
    }

    /// <summary>What rotated queries and keys are multiplied by.</summary>
    public static double LengthFactor(DecoderConfig config) => config.RopeScaling is RopeScaling.Yarn yarn ? yarn.AttentionFactor : 1;

    private static Tensor Exponents(DecoderConfig config, Device device) =>
        arange(0, config.HeadSize, 2, dtype: ScalarType.Float32, device: device).div(config.HeadSize);

    private static Tensor Blend(Tensor plain, RopeScaling.Llama3 scaling)
    {
        var (factor, low, high, original) = scaling;
        var lengths = plain.reciprocal() * (2 * Math.PI);
        var (isLong, isShort) = (lengths.gt(original / low), lengths.lt(original / high));
        var stays = (lengths.reciprocal() * original - low) / (high - low);
        var blended = (1 - stays) * plain / factor + stays * plain;
        return where(isLong, plain / factor, where(isShort, plain, blended));
    }

    private static Tensor Blend(DecoderConfig config, RopeScaling.Yarn scaling)
    {
        var (first, last) = (Dimension(scaling.FastTurns), Dimension(scaling.SlowTurns));
        if (scaling.WholeDimensions)
            (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, config.HeadSize - 1));
        if (first == last)
            last += 0.001; // a step, but not a division by zero
        var divided = ((arange(config.HeadSize / 2, dtype: ScalarType.Float32) - first) / (last - first)).clamp(0, 1);
        var stays = 1 - divided;
        var powers = pow(config.RopeTheta, Exponents(config, CPU));
        return (powers * scaling.Factor).reciprocal() * (1 - stays) + powers.reciprocal() * stays;

        // The dimension whose pair makes that many turns within the original context.
        double Dimension(double turns) =>
            config.HeadSize * Math.Log(scaling.OriginalPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(config.RopeTheta));
    }
}
