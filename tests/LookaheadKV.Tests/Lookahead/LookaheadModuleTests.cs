using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Lookahead;

/// <summary>How a module starts, what it shows to a pass, and that it leaves nothing behind.</summary>
public sealed class LookaheadModuleTests
{
    private static readonly DecoderConfig Wide = TinyDecoder.Config with { Width = 64, IntermediateSize = 48 };

    /// <summary>LoRA's scale is alpha / r, A uniform within 1/√in to both sides, B zero: a fresh module adds nothing.</summary>
    [Theory]
    [InlineData(1, 32)]
    [InlineData(4, 6)]
    [InlineData(16, 32)]
    public void Pairs_start_uniform_and_zero_and_are_scaled_by_alpha_over_rank(int rank, double alpha)
    {
        using var scope = NewDisposeScope();
        using var module = LookaheadModule.Create(Wide, new LookaheadSettings { Rank = rank, Alpha = alpha });
        Assert.Equal(2, module.Layers.Count);
        foreach (var (name, pair) in module.Layers.SelectMany(layer => layer.Pairs))
        {
            var (rows, columns) = name.Shape(Wide);
            Assert.Equal(alpha / rank, pair.Scale);
            Assert.Equal([rank, columns], pair.A.shape);
            Assert.Equal([rows, rank], pair.B.shape);
            Assert.Equal(0, pair.B.abs().max().item<float>());
            var bound = 1 / Math.Sqrt(columns);
            Assert.InRange(pair.A.max().item<float>(), 0.5 * bound, bound);
            Assert.InRange(pair.A.min().item<float>(), -bound, -0.5 * bound);
        }
    }

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.5)]
    public void Embeddings_start_normal_with_the_given_deviation(double deviation)
    {
        using var scope = NewDisposeScope();
        using var module = LookaheadModule.Create(Wide, new LookaheadSettings { Tokens = 64, EmbeddingStd = deviation });
        Assert.Equal([64, 64], module.Embeddings.shape);
        Assert.Equal(deviation, module.Embeddings.std().item<float>(), 0.05 * deviation);
        Assert.Equal(0, module.Embeddings.mean().item<float>(), 0.05 * deviation);
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(512, 0)]
    [InlineData(3, 1024)]
    public void Parameters_are_as_many_as_the_settings_count(int tokens, int rank)
    {
        var settings = new LookaheadSettings { Tokens = tokens, Rank = rank };
        using var module = LookaheadModule.Create(TinyDecoder.Config, settings);
        Assert.Equal(settings.ParameterCount(TinyDecoder.Config), module.Parameters.Sum(parameter => parameter.numel()));
        Assert.All(module.Parameters, parameter => Assert.Equal(ScalarType.Float32, parameter.dtype));
        Assert.Equal(LookaheadFiles.Named(module).Select(named => named.Tensor), module.Parameters);
    }

    [Fact]
    public void A_pass_gets_the_embeddings_in_the_models_dtype_once_a_row()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create(ScalarType.Float64);
        using var module = LookaheadModule.Create(decoder.Config, new LookaheadSettings { Tokens = 3 });
        var rows = module.Embed(decoder, 2);
        Assert.Equal([2, 3, 8], rows.shape);
        Assert.Equal(ScalarType.Float64, rows.dtype);
        for (var row = 0; row < 2; row++)
            Assert.True(rows[row].to(ScalarType.Float32).eq(module.Embeddings).all().item<bool>());
    }

    [Fact]
    public void Without_rank_a_pass_gets_no_pairs_and_else_those_of_the_layer()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config);
        using var tokens = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Rank = 0 });
        for (var layer = 0; layer < 2; layer++)
        {
            Assert.Same(module.Layers[layer], module.Lora(layer));
            Assert.Null(tokens.Lora(layer));
        }
    }

    [Fact]
    public void A_disposed_module_leaves_no_tensor_not_even_what_was_packed_for_compiled_passes()
    {
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        static void Use()
        {
            using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 2 });
            using var copy = module.Copy();
            module.Layers[0].Packed(TinyDecoder.Config, ScalarType.Float32);
            module.Layers[0].Packed(TinyDecoder.Config, ScalarType.Float64);
            Assert.Same(module.Layers[0].Apart, module.Layers[0].Apart);
        }
    }

    /// <summary>A device without memory stands for any that is not the CPU.</summary>
    [Fact]
    public void Parameters_live_where_they_were_asked_for()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, device: new Device(DeviceType.META));
        Assert.All(module.Parameters, parameter => Assert.Equal(DeviceType.META, parameter.device_type));
        using var here = LookaheadModule.Create(TinyDecoder.Config);
        Assert.All(here.Parameters, parameter => Assert.Equal(DeviceType.CPU, parameter.device_type));
    }
}
