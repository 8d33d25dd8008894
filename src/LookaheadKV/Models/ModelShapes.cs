using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>
/// The shapes of published models, to be filled with random weights: what a pass costs depends on the shape alone. Rotary scalings are left out, which
/// change no cost.
/// </summary>
public static class ModelShapes
{
    private static readonly DecoderConfig Llama = new()
    {
        VocabularySize = 128_256,
        Width = 4096,
        Layers = 32,
        QueryHeads = 32,
        KeyValueHeads = 8,
        HeadSize = 128,
        IntermediateSize = 14_336,
        MaxPositions = 131_072,
        RopeTheta = 500_000,
    };

    private static readonly DecoderConfig Qwen = new()
    {
        VocabularySize = 151_936,
        Width = 4096,
        Layers = 36,
        QueryHeads = 32,
        KeyValueHeads = 8,
        HeadSize = 128,
        IntermediateSize = 12_288,
        MaxPositions = 40_960,
        RopeTheta = 1_000_000,
        RmsNormEpsilon = 1e-6,
        QueryKeyNorm = QueryKeyNorm.Heads,
    };

    /// <summary>All shapes by name, the smallest first.</summary>
    public static IReadOnlyDictionary<string, DecoderConfig> All { get; } =
        new Dictionary<string, DecoderConfig>
        {
            ["llama-100m"] = Llama with
            {
                VocabularySize = 32_000,
                Width = 768,
                Layers = 12,
                QueryHeads = 12,
                KeyValueHeads = 4,
                HeadSize = 64,
                IntermediateSize = 2048,
                TiedEmbeddings = true,
            },
            ["llama-3.2-1b"] = Llama with { Width = 2048, Layers = 16, HeadSize = 64, IntermediateSize = 8192, TiedEmbeddings = true },
            ["qwen3-1.7b"] = Qwen with { Width = 2048, Layers = 28, QueryHeads = 16, IntermediateSize = 6144, TiedEmbeddings = true },
            ["qwen3-4b"] = Qwen with { Width = 2560, IntermediateSize = 9728, TiedEmbeddings = true },
            ["llama-3.1-8b"] = Llama,
            ["qwen3-8b"] = Qwen,
        };

    /// <summary>The shape of a name.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public static DecoderConfig Find(string name) =>
        All.TryGetValue(name, out var shape)
            ? shape
            : throw new InputException($"shape \"{name}\" is unknown; use {string.Join(", ", All.Keys)}.");

    /// <summary>A model of a shape whose linear maps are normal with standard deviation 0.02 and whose norms are 1.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="device">Where the weights are drawn and live.</param>
    /// <param name="dtype">Their type.</param>
    /// <param name="seed">Seed of the draw; another device draws other numbers. A GPU's own generator is seeded by it: TorchSharp can make no other.</param>
    public static Decoder Random(DecoderConfig shape, Device device, ScalarType dtype, long seed = 0)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var weights = new RandomWeights(device, dtype, seed);
        return new Decoder(shape, DecoderWeights.Fill(shape, device, dtype, weights.Draw));
    }
}
