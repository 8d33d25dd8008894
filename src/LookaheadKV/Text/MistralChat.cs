namespace LookaheadKV.Text;

/// <summary>
/// Mistral's conversations: questions between [INST] and [/INST], answers behind them, closed by the end token. Its versions differ in the
/// spaces around the markers and in where the system message goes.
/// </summary>
internal sealed class MistralChat : ChatTemplate
{
    /// <summary>Where the system message goes.</summary>
    internal enum SystemPlace
    {
        /// <summary>The template has no place for one.</summary>
        None,

        /// <summary>Before the text of the first question.</summary>
        FirstQuestion,

        /// <summary>Before the text of the last question.</summary>
        LastQuestion,

        /// <summary>Before the text of the last message if that is a question, otherwise nowhere.</summary>
        LastMessage,

        /// <summary>Where it stands in the conversation, between [SYSTEM_PROMPT] and [/SYSTEM_PROMPT].</summary>
        Own,
    }

    public string Variant { get; init; } = "";

    public string Begin { get; init; } = "<s>";

    public string End { get; init; } = "</s>";

    public string Open { get; init; } = "[INST]";

    public string Close { get; init; } = "[/INST]";

    public string BeforeAnswer { get; init; } = "";

    public string AfterAnswer { get; init; } = "";

    public bool TrimsAnswers { get; init; }

    public SystemPlace System { get; init; }

    public override string Name => $"mistral-{Variant}";

    public override string EndOfAnswer => End;

    private protected override string Text(IReadOnlyList<ChatMessage> messages, bool answer)
    {
        if (System == SystemPlace.Own)
            return Begin + string.Concat(messages.Select(Turn));

        var hasSystem = messages[0].Role == ChatMessage.SystemRole;
        if (hasSystem && System == SystemPlace.None)
            throw new InputException($"the chat template {Name} has no place for a system message; put it into the question.");
        ChatMessage[] turns = [.. messages.Skip(hasSystem ? 1 : 0)];
        for (var i = 0; i < turns.Length; i++)
        {
            var wanted = i % 2 == 0 ? ChatMessage.UserRole : ChatMessage.AssistantRole;
            if (turns[i].Role != wanted)
                throw new InputException(
                    $"message {i + (hasSystem ? 2 : 1)} is the {turns[i].Role}'s; the chat template {Name} wants the {wanted} there: "
                        + "questions and answers in turn, a question first."
                );
        }

        var place = System switch
        {
            SystemPlace.FirstQuestion => 0,
            SystemPlace.LastMessage => turns.Length - 1,
            _ => Array.FindLastIndex(turns, turn => turn.Role == ChatMessage.UserRole),
        };
        if (hasSystem && place >= 0 && turns[place].Role == ChatMessage.UserRole)
            turns[place] = ChatMessage.User($"{messages[0].Content}\n\n{turns[place].Content}");
        return Begin + string.Concat(turns.Select(Turn));
    }

    private string Turn(ChatMessage message) =>
        message.Role switch
        {
            ChatMessage.UserRole => Open + message.Content + Close,
            ChatMessage.SystemRole => $"[SYSTEM_PROMPT]{message.Content}[/SYSTEM_PROMPT]",
            _ => BeforeAnswer + (TrimsAnswers ? message.Content.Trim() : message.Content) + End + AfterAnswer,
        };
}
