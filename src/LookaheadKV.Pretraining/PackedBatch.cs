using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Pretraining;

/// <summary>Extents of a packed batch.</summary>
/// <param name="Batch">Sequences B.</param>
/// <param name="Length">Tokens a sequence, T; shorter ones are padded at the end.</param>
/// <param name="Slots">Positions with loss, the unused ones included. Constant within a stage, so that no kernel is planned anew.</param>
public readonly record struct BatchShape(int Batch, int Length, int Slots)
{
    /// <summary>Token positions, B·T.</summary>
    public int Tokens => Batch * Length;
}

/// <summary>
/// A batch as one int64 vector, so that it takes one copy to the device: ids [B·T], then per slot the flat position whose logits are wanted,
/// then per slot the token that follows there (or <see cref="DecoderProgram.Ignored"/>).
/// </summary>
/// <param name="Values">The vector, B·T + 2·slots numbers.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="Answers">Number of slots in use.</param>
internal sealed record PackedBatch(long[] Values, BatchShape Shape, int Answers)
{
    /// <summary>Packs sequences.</summary>
    /// <param name="sequences">One per row.</param>
    /// <param name="length">Tokens a row.</param>
    /// <param name="slots">Room for answer tokens; grown if the batch has more.</param>
    /// <param name="vocabulary">Ids must be below this.</param>
    /// <exception cref="InputException">A sequence is too long, has an id out of range, or asks for its first token.</exception>
    public static PackedBatch Of(IReadOnlyList<TrainingSequence> sequences, int length, int slots, int vocabulary)
    {
        var answers = 0;
        foreach (var sequence in sequences)
        {
            Check(sequence, length, vocabulary);
            foreach (var wanted in sequence.Loss)
                answers += wanted ? 1 : 0;
        }
        if (answers == 0)
            throw new InputException("a batch has no token with loss: the source must mark at least one token of its sequences");
        var shape = new BatchShape(sequences.Count, length, Math.Max(slots, answers));
        var values = new long[shape.Tokens + 2 * shape.Slots];
        int position = shape.Tokens,
            target = shape.Tokens + shape.Slots;
        for (var row = 0; row < sequences.Count; row++)
        {
            var (ids, loss) = sequences[row];
            for (var i = 0; i < ids.Length; i++)
            {
                values[row * length + i] = ids[i];
                if (!loss[i])
                    continue;
                values[position++] = row * length + i - 1;
                values[target++] = ids[i];
            }
        }
        Array.Fill(values, DecoderProgram.Ignored, target, values.Length - target);
        return new PackedBatch(values, shape, answers);
    }

    private static void Check(TrainingSequence sequence, int length, int vocabulary)
    {
        var (ids, loss) = sequence;
        if (ids.Length < 2 || ids.Length > length || loss.Length != ids.Length)
            throw new InputException(
                $"a training sequence has {ids.Length} ids and {loss.Length} loss marks: both must be equal and within 2..{length}"
            );
        if (loss[0])
            throw new InputException("a training sequence asks for its first token: nothing stands before it; mark later tokens only");
        foreach (var id in ids)
            if ((uint)id >= (uint)vocabulary)
                throw new InputException($"a training sequence has token id {id}: ids must be within 0..{vocabulary - 1}");
    }
}
