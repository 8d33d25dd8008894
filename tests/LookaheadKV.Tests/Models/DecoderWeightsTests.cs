using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Models.Families;
using LookaheadKV.Tests.Pretraining;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

public sealed class DecoderWeightsTests
{
    [Theory]
    [InlineData("model.layers.1.self_attn.k_proj.weight")]
    [InlineData("model.norm.weight")]
    [InlineData("lm_head.weight")]
    public void A_misshapen_weight_is_named(string wrong)
    {
        using var scope = NewDisposeScope();
        var message = Refused(name => name == wrong ? ones(3, 3) : ones(TinyDecoder.Shape(name)));
        Assert.Contains($"{wrong} has shape [3, 3]", message);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_weight_that_is_not_finite_is_named(double value)
    {
        using var scope = NewDisposeScope();
        const string Wrong = "model.layers.0.mlp.down_proj.weight";
        var message = Refused(name =>
        {
            var weight = ones(TinyDecoder.Shape(name));
            if (name == Wrong)
                weight[2, 3] = value;
            return weight;
        });
        Assert.Contains($"{Wrong} holds NaN or infinity", message);
    }

    public static TheoryData<string> Kinds() =>
        ["plain", "tied", "qwen2", "qwen3", "olmo2", "all biases", "first biases", "last biases", "four norms", "fused"];

    private static WeightTable Four { get; } =
        WeightTable.Llama.WithNorms(
            ("input_layernorm", NormName.AttentionIn),
            ("post_attention_layernorm", NormName.AttentionOut),
            ("pre_feedforward_layernorm", NormName.FeedForwardIn),
            ("post_feedforward_layernorm", NormName.FeedForwardOut)
        );

    private static WeightTable Fused { get; } =
        WeightTable.Of(
            [("input_layernorm", NormName.AttentionIn), ("post_attention_layernorm", NormName.FeedForwardIn)],
            [
                ("self_attn.qkv_proj", [LinearName.Query, LinearName.Key, LinearName.Value]),
                ("self_attn.o_proj", [LinearName.Output]),
                ("mlp.gate_up_proj", [LinearName.Gate, LinearName.Up]),
                ("mlp.down_proj", [LinearName.Down]),
            ]
        );

    private static DecoderConfig Shape(string kind) =>
        kind switch
        {
            "tied" => TinyDecoder.Config with { TiedEmbeddings = true },
            "qwen2" => TinyDecoder.Config with { Biases = [LinearName.Query, LinearName.Key, LinearName.Value] },
            "qwen3" => TinyDecoder.Config with { QueryKeyNorm = QueryKeyNorm.Heads },
            "olmo2" => TinyDecoder.Config with
            {
                Norms = BlockNorms.After,
                QueryKeyNorm = QueryKeyNorm.Whole,
                WeightNames = Olmo2.Family.WeightNames,
            },
            "four norms" => TinyDecoder.Config with { Norms = BlockNorms.Both, WeightNames = Four },
            "fused" => TinyDecoder.Config with { Biases = [LinearName.Query, LinearName.Key, LinearName.Value], WeightNames = Fused },
            "all biases" => TinyDecoder.Config with { Biases = LinearNames.All },
            "first biases" => TinyDecoder.Config with { Biases = [LinearName.Query, LinearName.Gate] },
            "last biases" => TinyDecoder.Config with { Biases = [LinearName.Value, LinearName.Up] },
            _ => TinyDecoder.Config,
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Weights_are_the_shapes_that_the_configuration_has_each_where_its_name_says(string kind)
    {
        using var scope = NewDisposeScope();
        var config = Shape(kind);
        (string Name, long[] Shape)[] shapes = [.. DecoderWeights.Shapes(config)];
        using var weights = DecoderWeights.Collect(config, name => full(shapes.Single(s => s.Name == name).Shape, Number(name)));
        Assert.Equal(shapes.Select(s => s.Name).Order(), weights.Named.Select(w => w.Key).Order());
        foreach (var (name, weight) in weights.Named)
        {
            Assert.Equal(shapes.Single(s => s.Name == name).Shape, weight.shape);
            Assert.True(weight.eq(Number(name)).all().item<bool>(), name);
        }
        Assert.Equal(kind == "tied", ReferenceEquals(weights.Head, weights.Embedding));
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var (own, prefix) = (weights.Layers[layer], $"model.layers.{layer}.");
            foreach (var name in LinearNames.All)
            {
                var module = Module(name.Path());
                Assert.True(own[name].eq(Number($"{prefix}{module}.weight")).all().item<bool>());
                Assert.Equal(name.Shape(config), ((int)own[name].size(0), (int)own[name].size(1)));
                Assert.Equal(config.Biases.Contains(name), own.Bias(name) is not null);
                if (own.Bias(name) is { } bias)
                    Assert.True(bias.eq(Number($"{prefix}{module}.bias")).all().item<bool>());
            }
            foreach (var (place, module) in Norms(kind))
                Assert.True(own.Norm(place)!.eq(Number($"{prefix}{module}.weight")).all().item<bool>());
            Assert.Equal(Norms(kind).Select(norm => norm.Place).Order(), NormNames.All.Where(place => own.Norm(place) is not null));
            Assert.All(NormNames.All, place => Assert.Equal(place.Length(config), (int?)own.Norm(place)?.size(0)));
        }

        string Module(string path) =>
            kind != "fused" ? path
            : path[^6..] is "q_proj" or "k_proj" or "v_proj" ? "self_attn.qkv_proj"
            : path.StartsWith("mlp.down", StringComparison.Ordinal) || path.Contains("o_proj", StringComparison.Ordinal) ? path
            : "mlp.gate_up_proj";

        float Number(string name) => 1 + Array.FindIndex(shapes, s => s.Name == name);
    }

    // Spelled out: where each kind has a norm, and the module that holds it.
    private static (NormName Place, string Module)[] Norms(string kind) =>
        kind switch
        {
            "qwen3" => [.. Norms("plain"), (NormName.Query, "self_attn.q_norm"), (NormName.Key, "self_attn.k_norm")],
            "olmo2" =>
            [
                (NormName.AttentionOut, "post_attention_layernorm"),
                (NormName.FeedForwardOut, "post_feedforward_layernorm"),
                (NormName.Query, "self_attn.q_norm"),
                (NormName.Key, "self_attn.k_norm"),
            ],
            "four norms" =>
            [
                (NormName.AttentionIn, "input_layernorm"),
                (NormName.AttentionOut, "post_attention_layernorm"),
                (NormName.FeedForwardIn, "pre_feedforward_layernorm"),
                (NormName.FeedForwardOut, "post_feedforward_layernorm"),
            ],
            _ => [(NormName.AttentionIn, "input_layernorm"), (NormName.FeedForwardIn, "post_attention_layernorm")],
        };

    /// <summary>Maps that read the same rows are one product for compiled layers: their biases too, where only some have one.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_compiled_layers_get_are_the_same_maps_joined(string kind)
    {
        using var scope = NewDisposeScope();
        var config = Shape(kind);
        using var generator = new Generator(2, CPU);
        using var weights = DecoderWeights.Fill(config, CPU, ScalarType.Float32, (_, place) => place.normal_(0, 1, generator));
        foreach (var layer in weights.Layers)
        {
            var (apart, joined) = (layer.Apart, layer.Joined);
            Assert.Equal((20, 20, 20), (LayerSlots.Count, apart.Length, joined.Length));
            foreach (var place in NormNames.All)
            {
                Same(layer.Norm(place) ?? empty(0), apart[LayerSlots.Of(place)]);
                Same(layer.Norm(place) ?? empty(0), joined[LayerSlots.Of(place)]);
            }
            foreach (var name in LinearNames.All)
            {
                Same(layer[name], apart[2 * (int)name]);
                Same(layer.Bias(name) ?? empty(0), apart[2 * (int)name + 1]);
            }
            Joined(joined[0], joined[1], LinearName.Query, LinearName.Key, LinearName.Value);
            Joined(joined[6], joined[7], LinearName.Output);
            Joined(joined[8], joined[9], LinearName.Gate, LinearName.Up);
            Joined(joined[12], joined[13], LinearName.Down);

            void Joined(Tensor weight, Tensor bias, params LinearName[] names)
            {
                Same(cat([.. names.Select(name => layer[name])]), weight);
                var biases = names.Select(name => layer.Bias(name) ?? zeros(name.Shape(config).Out)).ToArray();
                Same(names.Any(name => layer.Bias(name) is not null) ? cat(biases) : empty(0), bias);
            }
        }

        static void Same(Tensor expected, Tensor actual)
        {
            Assert.Equal(expected.shape, actual.shape);
            Assert.True(actual.eq(expected).all().item<bool>());
        }
    }

    /// <summary>What follows from the configuration may be stored beside the weights, and nothing else.</summary>
    [Theory]
    [InlineData("model.layers.0.self_attn.rotary_emb.inv_freq", true, true)]
    [InlineData("model.rotary_emb.inv_freq", true, true)]
    [InlineData("lm_head.weight", false, true)] // of the plain model it is a weight
    [InlineData("lm_head.bias", false, false)]
    [InlineData("model.layers.2.mlp.up_proj.weight", false, false)]
    public void A_checkpoint_holds_the_weights_and_known_surplus(string name, bool plain, bool tied)
    {
        foreach (var (config, allowed) in new[] { (TinyDecoder.Config, plain), (Shape("tied"), tied) })
        {
            using var scope = NewDisposeScope();
            using var folder = new TemporaryFolder();
            var weights = DecoderWeights.Shapes(config).ToDictionary(weight => weight.Name, weight => ones(weight.Shape));
            if (name == "lm_head.weight" && !config.TiedEmbeddings)
                weights.Remove(name);
            else
                weights.Add(name, ones(13, 8));
            Safetensors.Write(folder["model.safetensors"], weights.Select(weight => (weight.Key, weight.Value)));
            File.WriteAllText(folder["config.json"], "{}");
            if (allowed)
                Load().Dispose();
            else
                Assert.Contains(name, Assert.Throws<InputException>(Load).Message);

            DecoderWeights Load() => DecoderWeights.Load(ModelFiles.Open(folder.Path), config, CPU, ScalarType.Float32);
        }
    }

    [Fact]
    public void Large_weights_whose_sum_overflows_are_finite()
    {
        using var scope = NewDisposeScope();
        using var weights = DecoderWeights.Collect(TinyDecoder.Config, name => full(TinyDecoder.Shape(name), 3e38));
        Assert.Equal(3e38f, weights.FinalNorm[0].item<float>());
    }

    [Fact]
    public void Weights_leave_no_tensor_disposed_or_refused()
    {
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        static void Use()
        {
            DecoderWeights.Collect(Shape("all biases"), Ones).Dispose();
            DecoderWeights.Collect(Shape("tied"), Ones).Dispose();
            Assert.Throws<InputException>(() =>
                DecoderWeights.Collect(TinyDecoder.Config, name => name == "model.norm.weight" ? ones(3) : Ones(name))
            );
        }

        static Tensor Ones(string name) => ones([.. DecoderWeights.Shapes(Shape("all biases")).Single(s => s.Name == name).Shape]);
    }

    [Fact]
    public void Names_and_shapes_of_maps_are_seven()
    {
        Assert.Equal(7, LinearNames.All.Select(name => name.Path()).Distinct().Count());
        foreach (var name in LinearNames.All)
        {
            var (rows, columns) = name.Shape(TinyDecoder.Config);
            Assert.Equal(TinyDecoder.Shape(name.Path()), new long[] { rows, columns });
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => ((LinearName)9).Path());
        Assert.Throws<ArgumentOutOfRangeException>(() => ((LinearName)9).Shape(TinyDecoder.Config));
    }

    private static string Refused(Func<string, Tensor> read) =>
        Assert.Throws<InputException>(() => DecoderWeights.Collect(TinyDecoder.Config, read)).Message;
}
