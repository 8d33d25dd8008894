using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;

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
}
