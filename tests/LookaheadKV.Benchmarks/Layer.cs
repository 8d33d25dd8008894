using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>What every step runs on: one layer of Llama-3.2-1B's shape, seeded noise in float32.</summary>
internal static class Layer
{
    /// <summary>The shape's name in <see cref="ModelShapes"/>.</summary>
    public const string ShapeName = "llama-3.2-1b";

    /// <summary>Rows that watch the prompt: the window of SnapKV, the lookahead tokens, a draft.</summary>
    public const int Rows = 32;

    /// <summary>One entry in so many is kept.</summary>
    public const int Share = 8;

    /// <summary>H = 32, G = 8, D = 64, 16 layers.</summary>
    public static DecoderConfig Shape { get; } = ModelShapes.Find(ShapeName);

    /// <summary>Queries [1,H,T,D].</summary>
    public static Tensor Queries(long rows) => randn(1, Shape.QueryHeads, rows, Shape.HeadSize);

    /// <summary>Keys or values [1,G,T,D].</summary>
    public static Tensor Entries(long rows) => randn(1, Shape.KeyValueHeads, rows, Shape.HeadSize);

    /// <summary>Scores [1,G,N], as pooled ones are: no two alike.</summary>
    public static Tensor Scores(long length) => rand(1, Shape.KeyValueHeads, length);
}
