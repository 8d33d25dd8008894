using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Training;

/// <summary>What an entry writes, head by head, and the target that is weighed by it.</summary>
public class WrittenNormTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 5)]
    [InlineData(ScalarType.Float64, 12)]
    public void It_is_the_norm_of_the_output_maps_part_of_a_head_times_the_value(ScalarType dtype, int digits)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create(dtype);
        var values = randn([2, 2, 5, 4], dtype, generator: new Generator(3, CPU));
        var norms = WrittenNorm.Of(decoder, 1, values);
        Assert.Equal([2, 4, 5], norms.shape);
        var output = decoder.Weights.Layers[1][LinearName.Output]; // [8, 4 heads of 4]
        for (var b = 0; b < 2; b++)
        for (var h = 0; h < 4; h++)
        for (var j = 0; j < 5; j++)
        {
            var written = output.narrow(1, 4 * h, 4).mv(values[b, h / 2, j]);
            Assert.Equal(
                written.norm().to(ScalarType.Float64).item<double>(),
                norms[b, h, j].to(ScalarType.Float64).item<double>(),
                digits
            );
        }
    }

    [Fact]
    public void The_weighed_target_is_attention_times_that_norm()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(
            decoder.Config,
            new()
            {
                Tokens = 3,
                Rank = 2,
                EmbeddingStd = 1,
            },
            seed: 4
        );
        using var target = LookaheadTarget.Compute(
            decoder,
            [
                [1, 5, 2, 9, 4, 3],
                [2, 2, 8, 1, 1, 6],
            ],
            [
                [7, 2],
                [3],
            ]
        );
        var expected = 0.0;
        using var pass = new LookaheadKV.Passes.ObserverPass(decoder, module, 2, 6, Add);
        LookaheadKV.Passes.RememberedLayers.HandTo(target.Prompt, pass);
        var loss = LookaheadTrainer.Loss(decoder, module, target, truth: TrainingTarget.Written).item<float>();
        Assert.Equal(expected, loss, 5);
        Assert.NotEqual(loss, LookaheadTrainer.Loss(decoder, module, target).item<float>(), 4);

        void Add(int layer, LayerRows prompt, LayerRows rows)
        {
            var predicted = LookaheadScore.Score(prompt.Keys, rows);
            var truth = target.Importance[layer] * WrittenNorm.Of(decoder, layer, prompt.Values);
            expected += LookaheadLoss.Layer(truth, predicted).item<float>() / 2;
        }
    }
}
