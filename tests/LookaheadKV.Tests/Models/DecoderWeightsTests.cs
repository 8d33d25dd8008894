using LookaheadKV.Models;
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

    private static string Refused(Func<string, Tensor> read) =>
        Assert.Throws<InputException>(() => DecoderWeights.Collect(TinyDecoder.Config, read)).Message;
}
