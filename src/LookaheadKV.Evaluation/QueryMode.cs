using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Evaluation;

/// <summary>Whether a method may see the question before it evicts.</summary>
public enum QueryMode
{
    /// <summary>Query-aware: the question is part of the prompt that is scored.</summary>
    Aware,

    /// <summary>Query-agnostic: the context is evicted first, for whatever will be asked; the question comes after it.</summary>
    Agnostic,
}

/// <summary>Where a prompt's context ends and its question begins.</summary>
public static class QuerySplit
{
    /// <summary>A prompt's tokens in two parts: what is scored and evicted, and what follows it untouched.</summary>
    /// <param name="sample">The prompt.</param>
    /// <param name="mode">Aware leaves nothing for the second part.</param>
    /// <param name="encoder">The tokenizer that made the prompt's tokens.</param>
    public static (int[] Scored, int[] Question) Of(TaskSample sample, QueryMode mode, PieceEncoder encoder)
    {
        if (mode == QueryMode.Aware)
            return (sample.PromptIds, []);
        var end = sample.Prompt.LastIndexOf(Templates.QuestionMark, StringComparison.Ordinal);
        if (end < 0)
            throw new InputException($"a {sample.Task} prompt has no \"{Templates.QuestionMark.Trim()}\" to split at; run it query-aware.");
        return At(sample.Prompt[..end], sample.PromptIds, encoder.Encode);
    }

    /// <summary>A prompt's tokens up to the end of its context, and those after it.</summary>
    /// <param name="context">The beginning of the prompt's text.</param>
    /// <param name="ids">The prompt's tokens.</param>
    /// <param name="encode">The tokenizer that made them.</param>
    public static (int[] Scored, int[] Question) At(string context, int[] ids, Func<string, int[]> encode)
    {
        // A token may reach over the border: the parts meet at the last token that both tokenizations share.
        var shared = encode(context).Zip(ids).TakeWhile(pair => pair.First == pair.Second).Count();
        return (ids[..shared], ids[shared..]);
    }
}
