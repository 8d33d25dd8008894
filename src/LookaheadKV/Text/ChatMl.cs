namespace LookaheadKV.Text;

/// <summary>ChatML, as Qwen2 and many others have it: start marker and role on a line, the message, end marker and line break.</summary>
internal sealed class ChatMl : ChatTemplate
{
    /// <summary>What stands before everything.</summary>
    public string Begin { get; init; } = "";

    /// <summary>The system message of a conversation that starts with none; null for none.</summary>
    public string? DefaultSystem { get; init; }

    /// <summary>Whether the space around each message is left out.</summary>
    public bool Trims { get; init; }

    public override string Name => "chatml";

    public override string EndOfAnswer => "<|im_end|>";

    private protected override string Text(IReadOnlyList<ChatMessage> messages, bool answer)
    {
        var turns =
            DefaultSystem is not null && messages[0].Role != ChatMessage.SystemRole
                ? messages.Prepend(ChatMessage.System(DefaultSystem))
                : messages;
        return Begin
            + string.Concat(turns.Select(turn => Turn(turn.Role, Trims ? turn.Content.Trim() : turn.Content)))
            + (answer ? Open(ChatMessage.AssistantRole) : "");
    }

    /// <summary>A whole turn.</summary>
    internal static string Turn(string role, string content) => $"{Open(role)}{content}<|im_end|>\n";

    /// <summary>The opening of a turn.</summary>
    internal static string Open(string role) => $"<|im_start|>{role}\n";
}
