using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;

namespace LookaheadKV.Pretraining;

/// <summary>What the shipped model is made from: its tokenizer, its data, and what its progress is measured on.</summary>
public static class NanoRecipe
{
    /// <summary>Entries of the tokenizer.</summary>
    public const int VocabularySize = 2048;

    private const long CorpusCharacters = 1_500_000;

    /// <summary>The tokens that every document, answer and filling uses, in the order of their ids.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } = [Templates.Begin, Templates.End, Templates.Pad];

    /// <summary>Trains the byte-level BPE tokenizer on the synthetic world's text.</summary>
    public static TokenizerJson TrainTokenizer(long seed, CancellationToken cancellation = default) =>
        BpeTrainer.Train(Corpus.Text(seed, CorpusCharacters), VocabularySize, SpecialTokens, SplitPatterns.Qwen2, cancellation);

    /// <summary>Documents with many questions each, of all tasks.</summary>
    public static SequenceSource Sequences(PieceEncoder encoder, TaskMixture? mixture = null) =>
        (length, seed) =>
        {
            var sequence = TrainingSequences.Generate(length, 0, (long)seed, encoder, mixture);
            return new TrainingSequence(sequence.Ids, sequence.Loss);
        };

    /// <summary>The same documents, one task each, to measure exact match on.</summary>
    public static IReadOnlyDictionary<string, SequenceSource> Tasks(PieceEncoder encoder) =>
        TaskNames.All.ToDictionary(
            task => task,
            task => Sequences(encoder, new TaskMixture(new Dictionary<string, double> { [task] = 1 }))
        );
}
