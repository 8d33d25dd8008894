using LookaheadKV.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Pretraining;

public class AdamWTests
{
    [Theory]
    [InlineData(0.001)] // norm 0.1: within the clip
    [InlineData(100)]
    public void Steps_follow_the_formula(double scale)
    {
        using var scope = NewDisposeScope();
        var plan = Toy.Plan;
        var count = (int)ParameterLayout.Count(plan.Model);
        var decayed = (int)ParameterLayout.Decayed(plan.Model);
        var weights = Toy.RandomWeights();
        var w = weights.data<float>().Select(value => (double)value).ToArray();
        var (m, v) = (new double[count], new double[count]);
        using var adam = new AdamW(plan);
        var state = OptimizerState.Over(weights);
        var working = weights.to(ScalarType.BFloat16).requires_grad_();
        for (var step = 1; step <= 3; step++)
        {
            var rate = 0.01 / step;
            // Adam forgets a constant scale: steps of different scales and the moments themselves show whether the clip is right.
            var gradient = randn(count, generator: new Generator((ulong)step)) * scale / step;
            var g = gradient.data<float>().Select(value => (double)value).ToArray();
            var norm = Math.Sqrt(g.Sum(value => value * value));
            Assert.Equal(1, adam.Step(state, working, gradient, step, rate).item<float>() / norm, 1e-5);
            for (var i = 0; i < count; i++)
            {
                var clipped = g[i] * Math.Min(1, plan.GradientClip / norm);
                m[i] = plan.Beta1 * m[i] + (1 - plan.Beta1) * clipped;
                v[i] = plan.Beta2 * v[i] + (1 - plan.Beta2) * clipped * clipped;
                if (i < decayed)
                    w[i] *= 1 - rate * plan.WeightDecay;
                var (unbiased, square) = (m[i] / (1 - Math.Pow(plan.Beta1, step)), v[i] / (1 - Math.Pow(plan.Beta2, step)));
                w[i] -= rate * unbiased / (Math.Sqrt(square) + 1e-8);
            }
        }
        var expected = tensor(w.Select(value => (float)value).ToArray());
        Assert.True(allclose(expected, state.Weights, 1e-5, 1e-6));
        Assert.True(allclose(tensor(m.Select(value => (float)value).ToArray()), state.FirstMoment, 1e-4, 1e-7));
        Assert.True(allclose(tensor(v.Select(value => (float)value).ToArray()), state.SecondMoment, 1e-4, 1e-10));
        Assert.True(Toy.Same(working.detach(), state.Weights.to(ScalarType.BFloat16)));
    }

    [Fact]
    public void Norms_are_the_weights_that_do_not_decay()
    {
        var norms = (2 * Toy.Model.Layers + 1) * Toy.Model.Width;
        Assert.Equal(ParameterLayout.Count(Toy.Model) - norms, ParameterLayout.Decayed(Toy.Model));
    }
}
