namespace LookaheadKV.Text;

/// <summary>
/// Qwen3's ChatML with thinking off: the answer opens with an empty thought, and thoughts in earlier answers are left out, except in those
/// behind the last question.
/// </summary>
internal sealed class Qwen3Chat : ChatTemplate
{
    private const string Start = "<think>";
    private const string Stop = "</think>";

    public override string Name => "qwen3";

    public override string EndOfAnswer => "<|im_end|>";

    private protected override string Text(IReadOnlyList<ChatMessage> messages, bool answer)
    {
        var lastQuestion = messages.Count - 1;
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            if (messages[i].Role != ChatMessage.UserRole)
                continue;
            lastQuestion = i;
            break;
        }

        var text = new System.Text.StringBuilder();
        foreach (var (i, (role, content)) in messages.Index())
        {
            var shown = role == ChatMessage.AssistantRole ? Answer(content, i > lastQuestion, i == messages.Count - 1) : content;
            text.Append(ChatMl.Turn(role, shown));
        }

        return text.Append(answer ? $"{ChatMl.Open(ChatMessage.AssistantRole)}{Start}\n\n{Stop}\n\n" : "").ToString();
    }

    private static string Answer(string content, bool afterLastQuestion, bool isLast)
    {
        var (thought, said) = ("", content);
        if (content.Contains(Stop, StringComparison.Ordinal))
        {
            var parts = content.Split(Stop);
            thought = parts[0].TrimEnd('\n').Split(Start)[^1].Trim('\n');
            said = parts[^1].TrimStart('\n');
        }

        return afterLastQuestion && (isLast || thought.Length > 0) ? $"{Start}\n{thought}\n{Stop}\n\n{said.TrimStart('\n')}" : said;
    }
}
