using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>The kind of smoothing over neighbouring positions.</summary>
public enum PoolingKind
{
    /// <summary>Each position by itself.</summary>
    None,

    /// <summary>The largest score within the window.</summary>
    Max,

    /// <summary>The mean score within the window; beyond the ends counts as 0.</summary>
    Mean,
}

/// <summary>Second step after scoring: a position inherits from its neighbours, so that whole phrases are kept (SnapKV, arXiv 2404.14469).</summary>
/// <param name="Kind">None, maximum or mean.</param>
/// <param name="Width">Window width in positions, odd.</param>
public sealed record Pooling(PoolingKind Kind, int Width)
{
    /// <summary>Window width in positions, odd.</summary>
    /// <exception cref="InputException">It is not a positive odd number.</exception>
    public int Width
    {
        get;
        init => field = Odd(value);
    } = Odd(Width);

    /// <summary>No smoothing.</summary>
    public static Pooling None { get; } = new(PoolingKind.None, 1);

    /// <summary>The largest score within <paramref name="width"/> positions.</summary>
    public static Pooling Max(int width) => new(PoolingKind.Max, width);

    /// <summary>The mean score within <paramref name="width"/> positions.</summary>
    public static Pooling Mean(int width) => new(PoolingKind.Mean, width);

    /// <summary>Smooths scores [B,G,N] along N; the shape stays.</summary>
    public Tensor Apply(Tensor scores) =>
        Kind switch
        {
            PoolingKind.Max => nn.functional.max_pool1d(scores, Width, stride: 1, padding: Width / 2),
            PoolingKind.Mean => nn.functional.avg_pool1d(scores, Width, stride: 1, padding: Width / 2),
            _ => scores.alias(),
        };

    /// <inheritdoc/>
    public override string ToString() => Kind == PoolingKind.None ? "none" : $"{Kind.ToString().ToLowerInvariant()}:{Width}";

    private static int Odd(int width) =>
        width > 0 && width % 2 == 1
            ? width
            : throw new InputException($"pooling width {width} is not a positive odd number; use 3, 5, 7, …");
}
