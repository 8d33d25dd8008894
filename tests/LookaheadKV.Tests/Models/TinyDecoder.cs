using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>A decoder of two layers with random weights.</summary>
internal static class TinyDecoder
{
    public static DecoderConfig Config { get; } =
        new()
        {
            VocabularySize = 13,
            Width = 8,
            Layers = 2,
            QueryHeads = 4,
            KeyValueHeads = 2,
            HeadSize = 4,
            IntermediateSize = 10,
            MaxPositions = 24,
            EndTokens = [0],
        };

    public static Decoder Create(ScalarType dtype = ScalarType.Float32)
    {
        using var generator = new Generator(5, CPU);
        return new Decoder(Config, DecoderWeights.Collect(Config, name => Weight(name).to(dtype)));

        Tensor Weight(string name) => randn(Shape(name), generator: generator).mul(0.4);
    }

    /// <summary>The shape of a weight under its Hugging Face name, spelled out.</summary>
    public static long[] Shape(string name) =>
        name switch
        {
            _ when name.EndsWith("norm.weight", StringComparison.Ordinal) => [8],
            _ when name.Contains("q_proj", StringComparison.Ordinal) => [16, 8],
            _ when name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal) => [8, 8],
            _ when name.Contains("o_proj", StringComparison.Ordinal) => [8, 16],
            _ when name.Contains("gate_proj", StringComparison.Ordinal) || name.Contains("up_proj", StringComparison.Ordinal) => [10, 8],
            _ when name.Contains("down_proj", StringComparison.Ordinal) => [8, 10],
            "model.embed_tokens.weight" or "lm_head.weight" => [13, 8],
            _ => throw new ArgumentException(name),
        };
}
