using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Training;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation;

/// <summary>How well modules predict true importance, means over prompts, layers and heads.</summary>
/// <param name="Prompts">Prompts that it was measured on.</param>
/// <param name="Divergence">KL(ŝ_true ‖ ŝ) in nats: the training loss.</param>
/// <param name="Spearman">Rank correlation of predicted and true importance over a prompt's positions, per query head.</param>
/// <param name="Recall">
/// C → share of the C entries of highest true importance, a layer and kv head each (query heads averaged), that are among the C of highest
/// predicted importance. Prompts of at most C tokens, from which nothing is evicted, are left out; null where no prompt is longer.
/// </param>
/// <param name="TextRecall">
/// C → the same share of the entries in the text alone (<see cref="OracleRecall"/>): without the first and the last tokens, which StreamingLLM
/// keeps and which are found without any prediction. Pooled over prompts, layers and heads; null where the oracle keeps none there.
/// </param>
/// <param name="TextAttention">C → the same, each entry with the attention that the answer pays it.</param>
/// <param name="Heads">C → the sums behind all three, by layer and kv head, [L][G], sums over prompts.</param>
public sealed record PredictionQuality(
    int Prompts,
    double Divergence,
    double Spearman,
    IReadOnlyDictionary<int, double?> Recall,
    IReadOnlyDictionary<int, double?> TextRecall,
    IReadOnlyDictionary<int, double?> TextAttention,
    IReadOnlyDictionary<int, HeadRecall[][]> Heads
)
{
    /// <summary>Measures modules on the same prompts: what is true is computed once for all of them.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="modules">The modules, such as one before training and one after it.</param>
    /// <param name="examples">Prompts that no module was trained on, at least one.</param>
    /// <param name="responses">Where their responses come from.</param>
    /// <param name="counts">The C of the recall, each at least 1.</param>
    /// <param name="progress">Receives the number of prompts done.</param>
    /// <param name="cancellation">Looked at before every layer of a prompt.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    /// <returns>One for each module.</returns>
    public static IReadOnlyList<PredictionQuality> Measure(
        Decoder decoder,
        IReadOnlyList<LookaheadModule> modules,
        IReadOnlyList<LookaheadExample> examples,
        IResponses responses,
        IReadOnlyList<int> counts,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        if (examples.Count == 0)
            throw new InputException("no prompt is held out; give at least one.");
        if (counts.FirstOrDefault(count => count < 1, 1) is < 1 and var wrong)
            throw new InputException($"recall at {wrong} entries is not measurable; give numbers of 1 or more.");
        using var noGrad = no_grad();
        var sums = modules.Select(_ => new Sums(counts, decoder.Config)).ToList();
        foreach (var (done, example) in examples.Index())
        {
            using var scope = NewDisposeScope();
            var response = responses.Of(example, cancellation);
            using var target = LookaheadTarget.Compute(decoder, [example.Prompt], [response], cancellation, execution);
            foreach (var (module, sum) in modules.Zip(sums))
                Add(decoder, module, target, sum);
            progress?.Report(done + 1);
        }
        return [.. sums.Select(sum => sum.Mean(examples.Count))];
    }

    private static void Add(Decoder decoder, LookaheadModule module, LookaheadTarget target, Sums sums)
    {
        var (layers, length) = (decoder.Config.Layers, target.Prompt[0].Keys.size(2));
        using var pass = new ObserverPass(decoder, module, 1, length, Layer);
        target.Prompt.HandTo(pass);

        void Layer(int layer, LayerRows prompt, LayerRows rows)
        {
            var truth = target.Importance[layer];
            var predicted = LookaheadScore.Score(prompt.Keys, rows, module.Settings.Rows);
            sums.Divergence += LookaheadLoss.Layer(truth, predicted).to(ScalarType.Float64).item<double>() / layers;
            sums.Spearman += RankCorrelation.Spearman(truth, predicted).mean().item<double>() / layers;
            foreach (var (count, heads) in sums.Heads.Where(entry => entry.Key < length))
                heads[layer] =
                [
                    .. heads[layer].Zip(OracleRecall.Of(truth, predicted, decoder.Config.KeyValueHeads, count), (a, b) => a + b),
                ];
        }
    }

    private sealed class Sums(IReadOnlyList<int> counts, DecoderConfig config)
    {
        public double Divergence { get; set; }
        public double Spearman { get; set; }
        public IReadOnlyDictionary<int, HeadRecall[][]> Heads { get; } =
            counts
                .Distinct()
                .Order()
                .ToDictionary(
                    count => count,
                    _ => Enumerable.Range(0, config.Layers).Select(_ => new HeadRecall[config.KeyValueHeads]).ToArray()
                );

        public PredictionQuality Mean(int prompts) =>
            new(
                prompts,
                Divergence / prompts,
                Spearman / prompts,
                Shares(t => t.Whole),
                Shares(t => t.Text),
                Shares(t => t.TextAttention),
                Heads
            );

        private IReadOnlyDictionary<int, double?> Shares(Func<HeadRecall, RecallSum> part) =>
            Heads.ToDictionary(entry => entry.Key, entry => part(entry.Value.SelectMany(layer => layer).Aggregate((a, b) => a + b)).Share);
    }
}
