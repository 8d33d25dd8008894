using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Lookahead;

public sealed class LookaheadSettingsTests
{
    /// <summary>The trainable parameters that the paper reports, in thousands, for n = 32 and r = 8.</summary>
    [Theory]
    [InlineData("Llama-3.2-1B", 16, 2048, 32, 8, 64, 8192, 5_403)]
    [InlineData("Llama-3.1-8B", 32, 4096, 32, 8, 128, 14336, 20_554)]
    [InlineData("Qwen3-8B", 36, 4096, 32, 8, 128, 12288, 21_455)]
    public void Trainable_parameters_are_those_of_the_paper(string model, int l, int e, int h, int g, int d, int f, int thousands)
    {
        var count = new LookaheadSettings().ParameterCount(Shape(l, e, h, g, d, f));
        Assert.True(Math.Round(count / 1000.0) == thousands, $"{model}: {count}");
    }

    [Fact]
    public void The_last_layer_has_query_and_key_only()
    {
        var settings = new LookaheadSettings();
        Assert.Equal(LinearNames.All, settings.TargetsOf(0, TinyDecoder.Config));
        Assert.Equal([LinearName.Query, LinearName.Key], settings.TargetsOf(1, TinyDecoder.Config));
    }

    [Fact]
    public void Rank_zero_trains_the_tokens_alone()
    {
        var settings = new LookaheadSettings { Tokens = 5, Rank = 0 };
        Assert.Equal(5 * 8, settings.ParameterCount(TinyDecoder.Config));
        Assert.Empty(settings.TargetsOf(0, TinyDecoder.Config));
    }

    [Theory]
    [InlineData(0, 8, "lookahead tokens: 0 is outside 1..512")]
    [InlineData(513, 8, "lookahead tokens: 513 is outside 1..512")]
    [InlineData(32, -1, "LoRA rank -1 is outside 0..1024")]
    [InlineData(32, 1025, "LoRA rank 1025 is outside 0..1024")]
    public void Shapes_out_of_range_are_refused(int tokens, int rank, string named) =>
        Assert.Contains(
            named,
            Assert
                .Throws<InputException>(() =>
                    LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = tokens, Rank = rank })
                )
                .Message
        );

    /// <summary>A pair adds <c>alpha / r</c> of its product, whatever its rank, and wherever the module comes from.</summary>
    [Theory]
    [InlineData(1, 32)]
    [InlineData(2, 32)]
    [InlineData(8, 32)]
    [InlineData(16, 32)]
    [InlineData(4, 6)]
    public void Pairs_are_scaled_by_alpha_over_their_rank(int rank, double alpha)
    {
        using var scope = NewDisposeScope();
        var folder = Directory.CreateTempSubdirectory().FullName;
        var settings = new LookaheadSettings
        {
            Tokens = 2,
            Rank = rank,
            Alpha = alpha,
        };
        using var made = LookaheadModule.Create(TinyDecoder.Config, settings);
        using var copied = made.Copy();
        LookaheadFiles.Save(made, folder);
        using var read = LookaheadFiles.Load(folder, TinyDecoder.Config);
        Directory.Delete(folder, recursive: true);
        foreach (var pair in new[] { made, copied, read }.SelectMany(module => module.Layers).SelectMany(layer => layer.Pairs.Values))
        {
            // Of ones: in·r products of 1, out of r columns.
            var (a, b) = (ones_like(pair.A), ones_like(pair.B));
            var delta = (pair with { A = a, B = b }).Delta(ones(1, a.size(1)));
            Assert.Equal([rank, a.size(1)], a.shape);
            Assert.Equal(alpha / rank * a.size(1) * rank, delta[0, 0].item<float>(), 1e-3);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_module()
    {
        using var a = LookaheadModule.Create(TinyDecoder.Config, seed: 3);
        using var b = LookaheadModule.Create(TinyDecoder.Config, seed: 3);
        using var c = LookaheadModule.Create(TinyDecoder.Config, seed: 4);
        Assert.All(a.Parameters.Zip(b.Parameters), pair => Assert.True(Same(pair.First, pair.Second)));
        Assert.False(Same(a.Embeddings, c.Embeddings));
    }

    private static bool Same(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return a.eq(b).all().item<bool>();
    }

    private static DecoderConfig Shape(int l, int e, int h, int g, int d, int f) =>
        new()
        {
            VocabularySize = 1000,
            Width = e,
            Layers = l,
            QueryHeads = h,
            KeyValueHeads = g,
            HeadSize = d,
            IntermediateSize = f,
            MaxPositions = 8192,
        };
}
