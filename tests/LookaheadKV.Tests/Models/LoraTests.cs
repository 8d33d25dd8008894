using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>A pair's delta in plain numbers, and the packed form of a layer's pairs beside the pairs themselves.</summary>
public sealed class LoraTests
{
    private static readonly LinearName[][] Groups =
    [
        [LinearName.Query, LinearName.Key, LinearName.Value],
        [LinearName.Output],
        [LinearName.Gate, LinearName.Up],
        [LinearName.Down],
    ];

    [Fact]
    public void A_delta_is_the_scaled_product_of_both_maps()
    {
        using var scope = NewDisposeScope();
        var (x, a, b) = (Random(1, 3, 5), Random(2, 2, 5), Random(3, 4, 2));
        var delta = new LoraPair(a, b, 1.75).Delta(x);
        Assert.Equal([3, 4], delta.shape);
        for (var row = 0; row < 3; row++)
        for (var column = 0; column < 4; column++)
        {
            var sum = 0.0;
            for (var rank = 0; rank < 2; rank++)
            for (var i = 0; i < 5; i++)
                sum += At(b, column, rank) * At(a, rank, i) * At(x, row, i);
            Assert.Equal(1.75 * sum, At(delta, row, column), 1e-5);
        }

        static double At(Tensor matrix, int row, int column) => matrix[row, column].item<float>();
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Packed_pairs_give_the_deltas_of_all_maps_that_read_the_same_rows(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var module = Module(LinearName.Query, LinearName.Value, LinearName.Up, LinearName.Down);
        var layer = module.Layers[0];
        var packed = layer.Packed(TinyDecoder.Config, dtype);
        Assert.Equal(LayerSlots.PairCount, packed.Length);
        foreach (var names in Groups)
        {
            var (a, b) = (packed[3 * (int)names[0]], packed[3 * (int)names[0] + 1]);
            if (names.All(name => layer[name] is null))
            {
                Assert.Equal((0, 0), (a.numel(), b.numel()));
                continue;
            }
            Assert.Equal((dtype, dtype), (a.dtype, b.dtype));
            var x = Random(7, 3, names[0].Shape(TinyDecoder.Config).In).to(dtype);
            var together = nn.functional.linear(nn.functional.linear(x, a), b);
            var apart = cat(
                [.. names.Select(name => layer[name]?.Delta(x) ?? zeros(3, name.Shape(TinyDecoder.Config).Out, dtype: dtype))],
                1
            );
            Assert.True(together.allclose(apart, 1e-4, 1e-5), $"{names[0]}");
        }
    }

    [Fact]
    public void What_was_packed_stands_until_a_parameter_is_written_to_or_another_dtype_is_asked_for()
    {
        using var scope = NewDisposeScope();
        using var module = Module(LinearName.Query, LinearName.Down);
        var layer = module.Layers[0];
        var first = Packed();
        Assert.Same(first, Packed());
        using (no_grad())
            layer[LinearName.Down]!.B.add_(1);
        var second = Packed();
        Assert.NotSame(first, second);
        Assert.All(Kept(first), tensor => Assert.True(tensor.IsInvalid));
        Assert.Same(second, Packed());
        Assert.Equal(ScalarType.Float64, Packed(ScalarType.Float64)[0].dtype);
        Assert.All(Kept(second), tensor => Assert.True(tensor.IsInvalid));
        layer.Dispose();
        Assert.Equal(ScalarType.Float64, Packed(ScalarType.Float64)[0].dtype); // packs again

        IEnumerable<Tensor> Kept(Tensor[] packed) => packed.Where(tensor => !ReferenceEquals(tensor, LayerSlots.None));
        Tensor[] Packed(ScalarType dtype = ScalarType.Float32) => layer.Packed(TinyDecoder.Config, dtype);
    }

    /// <summary>Rows with pairs go through a layer as all rows go through one whose maps are the sums.</summary>
    [Fact]
    public void A_layer_with_pairs_is_the_layer_of_the_merged_maps()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = TinyDecoder.Create();
        foreach (var targets in LinearNames.All.Select(name => new[] { name }).Append([.. LinearNames.All]))
        {
            using var module = Module(targets);
            var pairs = module.Layers[0];
            var places = decoder.Weights.Named.ToDictionary();
            var added = targets.ToDictionary(name => $"model.layers.0.{name.Path()}.weight", name => pairs[name]!);
            using var merged = new Decoder(
                decoder.Config,
                DecoderWeights.Collect(
                    decoder.Config,
                    name => added.TryGetValue(name, out var pair) ? places[name] + pair.B.mm(pair.A) * pair.Scale : places[name].clone()
                )
            );
            var hidden = Random(4, 1, 3, 8);
            var (rows, wanted) = (decoder.Project(0, hidden, decoder.Angles(0, 3), pairs), merged.Project(0, hidden, merged.Angles(0, 3)));
            Assert.True(rows.Queries.allclose(wanted.Queries, 1e-4, 1e-5) && rows.Keys.allclose(wanted.Keys, 1e-4, 1e-5));
            Assert.True(rows.Values.allclose(wanted.Values, 1e-4, 1e-5));
            var attended = Random(6, 1, 4, 3, 4);
            var next = decoder.Finish(0, hidden, attended, pairs);
            Assert.True(next.allclose(merged.Finish(0, hidden, attended), 1e-4, 1e-4), string.Join(' ', targets));
        }
    }

    private static LookaheadModule Module(params LinearName[] targets)
    {
        var settings = new LookaheadSettings
        {
            Tokens = 1,
            Rank = 2,
            Alpha = 3,
            Targets = targets,
        };
        var module = LookaheadModule.Create(TinyDecoder.Config, settings, seed: 5);
        using var noGrad = no_grad();
        foreach (var pair in module.Layers.SelectMany(layer => layer.Pairs.Values))
        {
            using var start = Random(11, [.. pair.B.shape]);
            pair.B.copy_(start);
        }
        foreach (var parameter in module.Parameters)
            parameter.requires_grad_(true);
        return module;
    }

    private static Tensor Random(ulong seed, params long[] shape)
    {
        using var generator = new Generator(seed, CPU);
        return randn(shape, generator: generator);
    }
}
