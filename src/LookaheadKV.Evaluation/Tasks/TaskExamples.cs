using LookaheadKV.Training;

namespace LookaheadKV.Evaluation.Tasks;

/// <summary>Prompts of the synthetic tasks to train lookahead modules on.</summary>
public static class TaskExamples
{
    // Far more numbers than a step ever tries, so that no two steps share a prompt.
    private const long Tries = 1 << 20;

    // One of some ten prompts is as long as another.
    private const int MostInVain = 2000;
    private const int FreshStarts = 20;

    /// <summary>
    /// Examples to train lookahead modules on: prompts of the training half, one task after the other, every step's of one length so that they
    /// share a pass. The task's own answer is the guess of the model's.
    /// </summary>
    /// <param name="encoder">The tokenizer.</param>
    /// <param name="batch">Examples a step.</param>
    /// <param name="lengths">Upper bounds of the prompts' tokens, drawn from at random.</param>
    /// <param name="seed">Seed of the examples.</param>
    /// <exception cref="InputException">Asked for a step: a task has no prompt within the bound, or none as long as another's.</exception>
    public static ExampleSource Of(PieceEncoder encoder, int batch, IReadOnlyList<int> lengths, long seed) =>
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
}
