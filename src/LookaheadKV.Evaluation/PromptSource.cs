using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;
using LookaheadKV.Training.Texts;

namespace LookaheadKV.Evaluation;

/// <summary>Where the prompts of one task come from.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Count">How many prompts there are.</param>
/// <param name="Prompt">The prompt of a number, from 0.</param>
public sealed record PromptSource(string Task, int Count, Func<int, ComparedPrompt> Prompt)
{
    /// <summary>A synthetic task.</summary>
    /// <param name="task">Its name.</param>
    /// <param name="options">Length, seed and query mode.</param>
    /// <param name="encoder">The tokenizer.</param>
    public static PromptSource OfTask(string task, CompareOptions options, PieceEncoder encoder) =>
        new(
            task,
            int.MaxValue,
            index => new ExactPrompt(TaskGenerators.Generate(task, options.Length, options.Seed, index, encoder), options.Query, encoder)
        );

    /// <summary>A task of a benchmark whose samples are made or read one by one.</summary>
    /// <param name="task">Its name.</param>
    /// <param name="count">How many samples there are.</param>
    /// <param name="sample">The sample of a number, from 0.</param>
    /// <param name="form">How samples become tokens.</param>
    /// <param name="options">Length and query mode.</param>
    public static PromptSource OfBenchmark(
        string task,
        int count,
        Func<int, EvaluationSample> sample,
        PromptForm form,
        CompareOptions options
    ) => new(task, count, index => form.Prompt(sample(index), options.Length, options.Query));

    /// <summary>
    /// Texts that nobody asks anything about: <c>continue</c>, a piece to go on with, and, with a chat template, <c>summary</c>. Every prompt has exactly
    /// as many tokens as asked for.
    /// </summary>
    /// <param name="corpus">The texts; none that anything was trained on.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="frame">The chat template as tokens; null: none.</param>
    /// <param name="options">Length, seed, and how many tokens of answer.</param>
    /// <exception cref="InputException">The length has no room for text, or the question shall be kept back, of which there is none.</exception>
    public static IReadOnlyList<PromptSource> OfTexts(TextCorpus corpus, Tokenizer tokenizer, PromptFrame? frame, CompareOptions options)
    {
        if (options.Query == QueryMode.Agnostic)
            throw new InputException("prompts made of texts have no question that could be kept back; run them query-aware.");
        var recipe = new TextRecipe
        {
            Lengths = new Dictionary<int, double> { [options.Length] = 1 },
            QuestionFirst = 0,
            Instructions = ["Summarise the text in a few sentences."],
        };
        var continued = Made("continue", recipe with { Shares = new(0, 0, 1) }, new PromptFrame([], [], []));
        return frame is null ? [continued] : [continued, Made("summary", recipe with { Shares = new(1, 0, 0) }, frame)];

        PromptSource Made(string task, TextRecipe of, PromptFrame around)
        {
            var prompts = new TextPrompts(corpus, of, tokenizer, around);
            var answer =
                options.FidelityTokens
                ?? throw new ArgumentException("texts have no right answers: say over how many tokens fidelity is measured.");
            return new(task, int.MaxValue, index => new OpenPrompt(task, prompts.HeldOutAt(options.Seed, index).Ids, answer));
        }
    }
}
