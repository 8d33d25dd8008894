using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>
/// What the module is trained on: the predicted distribution of importance over the prompt should be the true one.
/// <c>KL(ŝ_true ‖ ŝ) = Σ_j ŝ_true[j] · (log ŝ_true[j] − log ŝ[j])</c>, both divided by their sum over the prompt, per query head, no pooling;
/// the loss is the mean over layers and query heads (Ahn et al., ICLR 2026).
/// </summary>
public static class LookaheadLoss
{
    // Softmax can underflow to 0, whose logarithm would make the loss infinite.
    private const double Smallest = 1e-30;

    /// <summary>Mean over rows and query heads of the distance in one layer, a scalar; of the KL divergences in nats.</summary>
    /// <param name="trueImportance">s_true [B,H,N], ≥ 0, not all 0.</param>
    /// <param name="predicted">s [B,H,N], ≥ 0, not all 0; gradients flow through it.</param>
    /// <param name="objective">Which distance; default the paper's.</param>
    public static Tensor Layer(Tensor trueImportance, Tensor predicted, LookaheadObjective objective = LookaheadObjective.Kl)
    {
        using var scope = NewDisposeScope();
        var (truth, guess) = (Normalised(trueImportance), Normalised(predicted));
        var distance = objective switch // [B,H]
        {
            LookaheadObjective.Kl => Divergence(truth, guess),
            LookaheadObjective.ReverseKl => Divergence(guess, truth),
            LookaheadObjective.Squares => (truth - guess).square().sum(-1),
            _ => throw new ArgumentOutOfRangeException(nameof(objective), objective, null),
        };
        return distance.mean().MoveToOuterDisposeScope();
    }

    private static Tensor Divergence(Tensor p, Tensor q) => p.mul(p.clamp_min(Smallest).log() - q.clamp_min(Smallest).log()).sum(-1);

    private static Tensor Normalised(Tensor scores) => scores / scores.sum(-1, keepdim: true);
}
