using LookaheadKV.Evaluation.Tasks;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// Teacher-forced exact match: an answer counts if every one of its tokens is the model's most likely one given the right tokens before
/// it, which is when greedy decoding would write it. An answer is a run of neighbouring tokens with loss.
/// </summary>
internal static class ExactMatch
{
    /// <summary>Share of the answers of some sequences that are right, 0..1.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="sequences">Sequences of at most <paramref name="length"/> tokens.</param>
    /// <param name="length">Tokens a row.</param>
    /// <param name="batch">Rows a pass.</param>
    /// <param name="device">The model's device.</param>
    public static double Of(TrainableDecoder decoder, IReadOnlyList<TrainingSequence> sequences, int length, int batch, Device device)
    {
        int answers = 0,
            right = 0;
        foreach (var rows in sequences.Chunk(batch))
        {
            using var scope = NewDisposeScope();
            var packed = PackedBatch.Of(rows, length, 0, decoder.Config.VocabularySize);
            var correct = decoder.Correct(tensor(packed.Values).to(device), packed.Shape).cpu().data<bool>().ToArray();
            foreach (var answer in Answers(packed))
            {
                answers++;
                right += correct.AsSpan(answer).Contains(false) ? 0 : 1;
            }
        }
        return (double)right / answers;
    }

    /// <summary>The slots of each answer: maximal runs of consecutive positions of one row.</summary>
    internal static IEnumerable<Range> Answers(PackedBatch packed)
    {
        var (values, shape, count) = packed;
        var start = 0;
        for (var slot = 1; slot <= count; slot++)
        {
            // Position T-1 of a row predicts nothing, so neighbouring positions always belong to one row.
            if (slot < count && values[shape.Tokens + slot] == values[shape.Tokens + slot - 1] + 1)
                continue;
            yield return start..slot;
            start = slot;
        }
    }
}
