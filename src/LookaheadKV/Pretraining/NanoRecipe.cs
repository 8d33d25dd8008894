using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Lookahead;
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

    /// <summary>
    /// Examples to train lookahead modules on: prompts of the training half, one task after the other, every step's of one length so that they
    /// share a pass. The task's own answer is the guess of the model's.
    /// </summary>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="batch">Examples a step.</param>
    /// <param name="lengths">Upper bounds of the prompts' tokens, drawn from at random.</param>
    /// <param name="seed">Seed of the examples.</param>
    /// <exception cref="InputException">Asked for a step: a task has no prompt within the bound, or none as long as another's.</exception>
    public static ExampleSource Examples(PieceEncoder encoder, int batch, IReadOnlyList<int> lengths, long seed) =>
        step =>
        {
            var length = lengths[new Random(unchecked((int)(seed * 1_000_003 + step))).Next(lengths.Count)];
            var examples = new List<LookaheadExample>();
            int? shared = null;
            var (inVain, fresh) = (0, 0);
            for (long i = step * Tries; examples.Count < batch; i++)
            {
                // Prompts come within a few tokens of their bound; those of the first one's length make the batch.
                var task = TaskNames.All[(int)((step + examples.Count) % TaskNames.All.Count)];
                var sample = TaskGenerators.Generate(task, length, seed, i, encoder, Split.Training);
                if (sample.PromptIds.Length == (shared ??= sample.PromptIds.Length))
                {
                    examples.Add(new LookaheadExample(sample.PromptIds, sample.AnswerIds));
                    inVain = 0;
                }
                else if (++inVain == MostInVain)
                {
                    // No prompt of this task has that length: another first one's may do.
                    if (++fresh == FreshStarts)
                        throw new InputException(
                            $"the task {task} has no prompt as long as those of the others, at most {length} tokens: give a larger bound, such as 128."
                        );
                    examples.Clear();
                    (shared, inVain) = (null, 0);
                }
            }
            return examples;
        };

    // Far more numbers than a step ever tries, so that no two steps share a prompt.
    private const long Tries = 1 << 20;

    // One of some ten prompts is as long as another.
    private const int MostInVain = 2000;
    private const int FreshStarts = 20;

    private static TrainingSequence HeldOut(string task, int length, long seed, PieceEncoder encoder)
    {
        // A seed of its own: these prompts are neither trained on nor among those that results are reported on.
        var sample = TaskGenerators.GenerateWithAnswer(task, length, long.MinValue, seed, encoder);
        int[] ids = [.. sample.PromptIds, .. sample.AnswerIds];
        return new TrainingSequence(ids, [.. ids.Select((_, i) => i >= sample.PromptIds.Length)]);
    }
}
