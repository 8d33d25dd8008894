using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Text;

namespace LookaheadKV.Evaluation;

/// <summary>How a benchmark's samples become a model's tokens: with its chat template where it has one, else as plain text.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Template">The chat template; null: none, and prompts are plain text between the control tokens that the tokenizer adds.</param>
public sealed record PromptForm(Tokenizer Tokenizer, ChatTemplate? Template)
{
    /// <summary>How many tokens a prompt has, with everything that this form puts around it.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="chat">Whether a chat template should be used.</param>
    public int Count(string prompt, bool chat = true) => Encode(Text(prompt, "", chat), chat).Length;

    /// <summary>The sample's tokens, shortened in the middle of its prompt where they are too many.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="length">The most tokens that the prompt may have.</param>
    /// <param name="query">Whether the question is part of what is scored.</param>
    /// <exception cref="InputException">What stands around the prompt, or its question, is longer than <paramref name="length"/>.</exception>
    public MeasuredPrompt Prompt(EvaluationSample sample, int length, QueryMode query)
    {
        var text = Text(sample.Prompt, sample.AnswerPrefix, sample.Chat);
        var ids = Encode(text, sample.Chat);
        if (ids.Length > length)
        {
            var around = Encode(Text("", sample.AnswerPrefix, sample.Chat), sample.Chat).Length;
            if (around >= length)
                throw new InputException(
                    $"length {length} is too short for {sample.Task}: {around} tokens stand around its prompt; give more."
                );
            // The halves may have more tokens within the template than alone; taking as many off again is enough.
            for (var room = length - around; ids.Length > length; room -= ids.Length - length)
            {
                var cut = MiddleTruncation.Text(sample.Prompt, Math.Max(1, room), Tokenizer.Encode, kept => Tokenizer.Decode(kept));
                text = Text(cut, sample.AnswerPrefix, sample.Chat);
                ids = Encode(text, sample.Chat);
            }
        }
        var (scored, question) = query == QueryMode.Aware ? (ids, []) : Split(sample, text, ids);
        return new(sample, scored, question, Answer);
    }

    private (int[] Scored, int[] Question) Split(EvaluationSample sample, string text, int[] ids)
    {
        var at = sample.Question == "" ? -1 : text.LastIndexOf(sample.Question.Trim(), StringComparison.Ordinal);
        return at > 0
            ? QuerySplit.At(text[..at], ids, context => Encode(context, sample.Chat))
            : throw new InputException(
                $"a {sample.Task} prompt has no question at its end to keep back; run it query-aware, or with a greater length."
            );
    }

    private string Text(string prompt, string answerPrefix, bool chat) =>
        chat && Template is not null ? Template.Render([ChatMessage.User(prompt)]) + answerPrefix.TrimStart() : prompt + answerPrefix;

    // A chat template writes the begin token itself.
    private int[] Encode(string text, bool chat) => chat && Template is not null ? Tokenizer.Encode(text) : Tokenizer.EncodePrompt(text);

    // An answer ends where its turn does, whether or not the model's configuration names that token.
    private string Answer(IReadOnlyList<int> response)
    {
        var end = Template?.EndToken(Tokenizer);
        return Tokenizer.Decode(response.TakeWhile(id => id != end), skipSpecial: true);
    }
}
