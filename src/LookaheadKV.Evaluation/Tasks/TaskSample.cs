namespace LookaheadKV.Evaluation.Tasks;

/// <summary>One long-context question with its only right answer.</summary>
/// <param name="Task">The task's name, one of <see cref="TaskNames.All"/>.</param>
/// <param name="Prompt">The whole prompt: <c>&lt;|begin|&gt;</c>, the text, the question, ending with <c>Answer:</c>.</param>
/// <param name="Answer">What must follow, starting with a space, without the end token.</param>
/// <param name="PromptIds">The prompt's tokens, [N].</param>
/// <param name="AnswerIds">The answer's tokens, [M], the last one <c>&lt;|end|&gt;</c>.</param>
public sealed record TaskSample(string Task, string Prompt, string Answer, int[] PromptIds, int[] AnswerIds);
