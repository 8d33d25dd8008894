using LookaheadKV.Evaluation.Samples;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>
/// RULER's 13 tasks (Hsieh et al., 2024, arXiv:2404.06654) for any tokenizer and length: its definitions and scores, with words and sentences
/// of our own, and generated prose where no essays are given. Scores are comparable within this library, not digit by digit with published ones.
/// </summary>
public static class RulerTasks
{
    /// <summary>Questions on SQuAD's paragraphs.</summary>
    public const string Squad = "qa_1";

    /// <summary>Questions on HotpotQA's documents.</summary>
    public const string Hotpot = "qa_2";

    private const string Variables = "vt";
    private const string CommonWords = "cwe";
    private const string FrequentWords = "fwe";

    private static readonly Dictionary<string, NeedleTask> Needles = new()
    {
        ["niah_single_1"] = new(NeedleHaystack.Repeated),
        ["niah_single_2"] = new(NeedleHaystack.Essay),
        ["niah_single_3"] = new(NeedleHaystack.Essay, CodeValues: true),
        ["niah_multikey_1"] = new(NeedleHaystack.Essay, Keys: 4),
        ["niah_multikey_2"] = new(NeedleHaystack.Needles),
        ["niah_multikey_3"] = new(NeedleHaystack.Needles, CodeKeys: true, CodeValues: true),
        ["niah_multivalue"] = new(NeedleHaystack.Essay, Values: 4),
        ["niah_multiquery"] = new(NeedleHaystack.Essay, Keys: 4, Queries: 4),
    };

    /// <summary>The names of the tasks, as RULER has them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Needles.Keys, Variables, CommonWords, FrequentWords, Squad, Hotpot];

    /// <summary>
    /// Makes one sample: a pure function of its arguments. The same seed and index ask the same question at every length; what varies is the
    /// amount of text around it.
    /// </summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="length">
    /// The most tokens that the prompt with its answer prefix may have. It is filled as far as whole sentences (list entries, documents) fit.
    /// </param>
    /// <param name="seed">Names a set of samples.</param>
    /// <param name="index">The sample in that set, from 0.</param>
    /// <param name="count">
    /// Counts the tokens of prompt and answer prefix, written one after the other. What a chat template adds may be included.
    /// </param>
    /// <param name="questions">The questions of <c>qa_1</c> (<see cref="QuestionFile.ReadSquad"/>) and <c>qa_2</c> (<see cref="QuestionFile.ReadHotpot"/>).</param>
    /// <param name="essays">What needles are hidden in where RULER hides them in essays; null: generated sentences.</param>
    /// <exception cref="InputException">
    /// The task is unknown, lacks its questions, cannot be made as short as <paramref name="length"/>, or runs out of words or documents before it.
    /// </exception>
    public static EvaluationSample Generate(
        string name,
        int length,
        long seed,
        long index,
        Func<string, int> count,
        QuestionFile? questions = null,
        Essays? essays = null
    )
    {
        if (index < 0)
            throw new InputException($"sample {index} is below 0; samples are counted from 0.");
        var random = RandomStream.For(Split.Evaluation, $"ruler {name}", seed, index);
        var draft = name switch
        {
            Variables => VariableTask.Draft(random),
            CommonWords => CommonWordsTask.Draft(random, length, count),
            FrequentWords => FrequentWordsTask.Draft(random),
            Squad => QuestionTask.Draft(Required(questions, name, "SQuAD"), index, Order(), random),
            Hotpot => QuestionTask.Draft(Required(questions, name, "HotpotQA"), index, Order(), random),
            _ => (Needles.GetValueOrDefault(name) ?? throw Unknown(name)).Draft(random, essays),
        };
        return draft.Filled(name, length, count);

        RandomStream Order() => RandomStream.For(Split.Evaluation, $"ruler {name} order", seed);
    }

    private static QuestionFile Required(QuestionFile? questions, string name, string source) =>
        questions ?? throw new InputException($"the task '{name}' asks questions of {source}: give its JSON file.");

    private static InputException Unknown(string name) => new($"unknown RULER task '{name}': choose one of {string.Join(", ", Names)}.");
}
