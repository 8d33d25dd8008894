using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// AdamW on one flat vector of float32 master weights, with the gradient's norm clipped. Kingma and Ba 2015, with the decoupled decay of
/// Loshchilov and Hutter 2019. The clip factor and the norm stay on the device: a step never waits for it.
/// </summary>
/// <remarks>
/// g ← g·min(1, clip/(‖g‖+1e-6)); m ← β₁m+(1-β₁)g; v ← β₂v+(1-β₂)g²; w ← w·(1-lr·decay) on the decayed prefix;
/// w ← w - lr/(1-β₁ᵗ)·m/(√(v/(1-β₂ᵗ))+1e-8).
/// </remarks>
internal sealed class AdamW(PretrainingPlan plan) : IDisposable
{
    private const string Source = """
        def step(weights: Tensor, working: Tensor, gradient: Tensor, first: Tensor, second: Tensor, decayed: int, rate: float, decay: float,
                 beta1: float, beta2: float, clip: float, correction1: float, correction2: float) -> Tensor:
            g = gradient.float()
            norm = torch.linalg_vector_norm(g)
            g = g * torch.clamp(clip / (norm + 1e-6), None, 1.0)
            first.mul_(beta1).add_(g, alpha=1.0 - beta1)
            second.mul_(beta2).addcmul_(g, g, value=1.0 - beta2)
            weights[:decayed].mul_(1.0 - rate * decay)
            weights.addcdiv_(first, (second / correction2).sqrt_().add_(1e-8), value=-rate / correction1)
            working.copy_(weights)
            return norm
        """;

    // A handful of operators on one vector: nothing to win from fusing them.
    private readonly ScriptProgram program = new(Source, fuse: false);
    private readonly int decayed = checked((int)ParameterLayout.Decayed(plan.Model));

    /// <summary>Updates <paramref name="state"/> and <paramref name="working"/> in place.</summary>
    /// <param name="state">Masters and moments.</param>
    /// <param name="working">The copy that the forward pass reads, in its own dtype.</param>
    /// <param name="gradient">Gradient of <paramref name="working"/>.</param>
    /// <param name="step">1 for the first step.</param>
    /// <param name="rate">Learning rate.</param>
    /// <returns>The gradient's norm before clipping, a scalar on the device.</returns>
    public Tensor Step(OptimizerState state, Tensor working, Tensor gradient, long step, double rate)
    {
        using var quiet = no_grad();
        return program.Invoke(
            "step",
            state.Weights,
            working,
            gradient,
            state.FirstMoment,
            state.SecondMoment,
            decayed,
            rate,
            plan.WeightDecay,
            plan.Beta1,
            plan.Beta2,
            plan.GradientClip,
            1 - Math.Pow(plan.Beta1, step),
            1 - Math.Pow(plan.Beta2, step)
        );
    }

    /// <inheritdoc/>
    public void Dispose() => program.Dispose();
}

/// <summary>What the optimiser carries from step to step: three float32 vectors, one number per parameter each.</summary>
/// <param name="Weights">Master weights, in the order of <see cref="ParameterLayout"/>.</param>
/// <param name="FirstMoment">Running mean of the gradient.</param>
/// <param name="SecondMoment">Running mean of its square.</param>
internal sealed record OptimizerState(Tensor Weights, Tensor FirstMoment, Tensor SecondMoment) : IDisposable
{
    /// <summary>Fresh state over given master weights [P], which it takes over.</summary>
    public static OptimizerState Over(Tensor weights) => new(weights, zeros_like(weights), zeros_like(weights));

    public void Dispose()
    {
        Weights.Dispose();
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}
