using LookaheadKV.Checkpoints;
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
        (length, seed) => TrainingSequences.Generate(length, 0, (long)seed, encoder, mixture);

    /// <summary>Held-out prompts of one task each with their answers, to measure exact match on while training.</summary>
    public static IReadOnlyDictionary<string, SequenceSource> Tasks(PieceEncoder encoder) =>
        TaskNames.All.ToDictionary(task => task, task => (SequenceSource)((length, seed) => HeldOut(task, length, (long)seed, encoder)));

    private static TrainingSequence HeldOut(string task, int length, long seed, PieceEncoder encoder)
    {
        // A seed of its own: these prompts are neither trained on nor among those that results are reported on.
        var sample = TaskGenerators.GenerateWithAnswer(task, length, long.MinValue, seed, encoder);
        int[] ids = [.. sample.PromptIds, .. sample.AnswerIds];
        return new TrainingSequence(ids, [.. ids.Select((_, i) => i >= sample.PromptIds.Length)]);
    }
}
