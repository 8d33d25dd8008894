using LookaheadKV.Evaluation.Tasks;
using TorchSharp;

namespace LookaheadKV.Pretraining;

/// <summary>The data of one stage: its batches in order, and held-out sequences of every task.</summary>
internal sealed class StageData : IDisposable
{
    private const int SizingSequences = 256;

    private readonly PretrainingPlan plan;
    private readonly BatchQueue queue;
    private readonly Lazy<IReadOnlyDictionary<string, TrainingSequence[]>> heldOut;

    /// <summary>Starts making the batches of a stage from a step of the run on.</summary>
    public StageData(
        PretrainingPlan plan,
        int stage,
        SequenceSource source,
        IReadOnlyDictionary<string, SequenceSource> tasks,
        long firstStep
    )
    {
        this.plan = plan;
        Stage = plan.Stages[stage];
        var (batch, length) = (Stage.Batch, Stage.Length);
        var slots = Slots(Sequences(plan, source, Stage.Length, Seeds.Sizing, 0, SizingSequences), batch, length);
        queue = new BatchQueue(
            number => PackedBatch.Of(Rows(plan, source, length, Seeds.Training, number, batch), length, slots, plan.Model.VocabularySize),
            firstStep
        );
        heldOut = new(() =>
            tasks.ToDictionary(task => task.Key, task => Sequences(plan, task.Value, length, Seeds.HeldOut, 0, plan.EvaluationSequences))
        );
    }

    /// <summary>The stage.</summary>
    public PretrainingStage Stage { get; }

    /// <summary>The next step's batch.</summary>
    public PackedBatch Next() => queue.Next();

    /// <summary>Exact match of every task on the stage's held-out sequences, 0..1.</summary>
    public IReadOnlyDictionary<string, double> Measure(TrainableDecoder decoder, torch.Device device) =>
        heldOut.Value.ToDictionary(
            task => task.Key,
            task => ExactMatch.Of(decoder, task.Value, Stage.Length, Math.Min(Stage.Batch, plan.EvaluationSequences), device)
        );

    public void Dispose() => queue.Dispose();

    /// <summary>
    /// Room for a batch's answer tokens that about one batch in a thousand million exceeds (six deviations), rounded up to whole tiles
    /// of a matrix product.
    /// </summary>
    internal static int Slots(IReadOnlyList<TrainingSequence> sample, int batch, int length)
    {
        var counts = sample.Select(sequence => (double)sequence.Loss.Count(wanted => wanted)).ToArray();
        var mean = counts.Average();
        var variance = counts.Sum(count => (count - mean) * (count - mean)) / counts.Length;
        var needed = batch * mean + 6 * Math.Sqrt(batch * variance);
        return (int)Math.Min(Math.Ceiling(needed / 128) * 128, (double)batch * length);
    }

    private static TrainingSequence[] Rows(PretrainingPlan plan, SequenceSource source, int length, ulong stream, long batch, int rows)
    {
        var sequences = new TrainingSequence[rows];
        for (var row = 0; row < rows; row++)
            sequences[row] = source(length, Seeds.Of(plan.Seed, stream, batch, row));
        return sequences;
    }

    private static TrainingSequence[] Sequences(PretrainingPlan plan, SequenceSource source, int length, ulong stream, long batch, int rows)
    {
        var sequences = new TrainingSequence[rows];
        try
        {
            Parallel.For(0, rows, row => sequences[row] = source(length, Seeds.Of(plan.Seed, stream, batch, row)));
        }
        catch (AggregateException error) when (error.InnerExceptions[0] is InputException first)
        {
            throw new InputException(first.Message, error);
        }
        return sequences;
    }
}
