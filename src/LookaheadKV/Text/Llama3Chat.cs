namespace LookaheadKV.Text;

/// <summary>
/// Llama 3's conversations: a header with the role, two line breaks, the message without the space around it, an end-of-turn token. From
/// 3.1 on a system message is always there and starts with two dates; the second one is fixed, so that results can be repeated.
/// </summary>
internal sealed class Llama3Chat(bool WithDate) : ChatTemplate
{
    private const string Dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

    public string Begin { get; init; } = "<|begin_of_text|>";

    public override string Name => WithDate ? "llama3.1" : "llama3";

    public override string EndOfAnswer => "<|eot_id|>";

    private protected override string Text(IReadOnlyList<ChatMessage> messages, bool answer)
    {
        var text = new System.Text.StringBuilder(Begin);
        var first = 0;
        if (WithDate)
        {
            first = messages[0].Role == ChatMessage.SystemRole ? 1 : 0;
            Turn(ChatMessage.SystemRole, Dates + (first == 1 ? messages[0].Content.Trim() : ""));
        }

        foreach (var (role, content) in messages.Skip(first))
            Turn(role, content.Trim());
        return text.Append(answer ? Header(ChatMessage.AssistantRole) : "").ToString();

        void Turn(string role, string content) => text.Append(Header(role)).Append(content).Append(EndOfAnswer);
    }

    private static string Header(string role) => $"<|start_header_id|>{role}<|end_header_id|>\n\n";
}
