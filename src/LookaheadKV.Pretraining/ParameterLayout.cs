namespace LookaheadKV.Pretraining;

/// <summary>One weight inside the flat parameter vector: its name, shape and how it is initialised.</summary>
/// <param name="Name">Name within the trainer, e.g. <c>layers.0.qkv</c>.</param>
/// <param name="Shape">Shape, rows (outputs) first.</param>
/// <param name="Deviation">Standard deviation of the normal initial values; 0 for a norm weight, which starts at 1.</param>
public sealed record ParameterPiece(string Name, long[] Shape, double Deviation)
{
    /// <summary>Number of elements.</summary>
    public long Size => Shape.Aggregate(1L, (product, extent) => product * extent);
}

/// <summary>
/// Where every weight lies in the one flat vector that holds all parameters. One vector means one gradient, one update and one tensor
/// in a checkpoint; the forward pass splits it into views, and the backward of a split is a single concatenation.
/// </summary>
/// <remarks>
/// Order: embedding [V,E]; per layer qkv [(H+2G)·D,E] (query heads, then key heads, then value heads), output [E,H·D], gate and up [2F,E],
/// down [E,F]; then all norms [E], attention and feed-forward norm by layer, the final norm last. Matrices come first, so the
/// weights that decay are a prefix.
/// </remarks>
public static class ParameterLayout
{
    /// <summary>Matrices per layer, in the order qkv, output, gate and up, down.</summary>
    internal const int MatricesPerLayer = 4;

    /// <summary>The pieces in order.</summary>
    public static IReadOnlyList<ParameterPiece> Pieces(TrainableDecoderConfig config)
    {
        const double deviation = 0.02;
        // Each of the 2L blocks adds to the residual stream: scaled so that its variance does not grow with depth.
        var residual = deviation / Math.Sqrt(2 * config.Layers);
        long e = config.Width,
            f = config.IntermediateSize,
            d = config.HeadSize;
        List<ParameterPiece> pieces = [new("embedding", [config.VocabularySize, e], deviation)];
        for (var layer = 0; layer < config.Layers; layer++)
        {
            pieces.Add(new($"layers.{layer}.qkv", [(config.QueryHeads + 2 * config.KeyValueHeads) * d, e], deviation));
            pieces.Add(new($"layers.{layer}.output", [e, config.QueryHeads * d], residual));
            pieces.Add(new($"layers.{layer}.gate_up", [2 * f, e], deviation));
            pieces.Add(new($"layers.{layer}.down", [e, f], residual));
        }
        for (var layer = 0; layer < config.Layers; layer++)
        {
            pieces.Add(new($"layers.{layer}.attention_norm", [e], 0));
            pieces.Add(new($"layers.{layer}.feed_forward_norm", [e], 0));
        }
        pieces.Add(new("final_norm", [e], 0));
        return pieces;
    }

    /// <summary>Number of parameters.</summary>
    public static long Count(TrainableDecoderConfig config) => Pieces(config).Sum(piece => piece.Size);

    /// <summary>Length of the prefix of the flat vector that weight decay applies to: every matrix, no norm.</summary>
    public static long Decayed(TrainableDecoderConfig config) =>
        Pieces(config).Where(piece => piece.Shape.Length > 1).Sum(piece => piece.Size);
}
