namespace LookaheadKV.Text;

/// <summary>
/// The form in which a model was taught conversations: what stands around the messages. The text it gives holds the control tokens, the
/// begin token included, and is encoded as it is.
/// </summary>
public abstract class ChatTemplate
{
    /// <summary>The names that <see cref="Named"/> takes.</summary>
    public static IReadOnlyList<string> Names { get; } =
    ["llama3", "llama3.1", "chatml", "qwen3", "mistral-v1", "mistral-v3", "mistral-tekken", "mistral-v7"];

    /// <summary>Its name, one of <see cref="Names"/> or a variant of one.</summary>
    public abstract string Name { get; }

    /// <summary>The token that ends an answer, beside those that the model's configuration names.</summary>
    public abstract string EndOfAnswer { get; }

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">The turns, at least one; some templates want questions and answers in turn.</param>
    /// <param name="answer">Whether the text ends with the opening of the assistant's next turn.</param>
    /// <exception cref="InputException">A role is unknown, or the template has no place for this order of turns.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool answer = true)
    {
        if (messages.Count == 0)
            throw new InputException("the conversation is empty; give at least one message.");
        foreach (var (role, _) in messages)
        {
            if (role is not (ChatMessage.SystemRole or ChatMessage.UserRole or ChatMessage.AssistantRole))
                throw new InputException($"role {Quoting.Quote(role)} is unknown; use system, user or assistant.");
        }

        return Text(messages, answer);
    }

    /// <summary>A template by its name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static ChatTemplate Named(string name) =>
        name switch
        {
            "llama3" => new Llama3Chat(WithDate: false),
            "llama3.1" => new Llama3Chat(WithDate: true),
            "chatml" => new ChatMl(),
            "qwen3" => new Qwen3Chat(),
            "mistral-v1" => new MistralChat
            {
                Variant = "v1",
                Open = " [INST] ",
                Close = " [/INST]",
                BeforeAnswer = " ",
                System = MistralChat.SystemPlace.FirstQuestion,
            },
            "mistral-v3" => new MistralChat
            {
                Variant = "v3",
                Open = "[INST] ",
                Close = "[/INST]",
                BeforeAnswer = " ",
                TrimsAnswers = true,
                System = MistralChat.SystemPlace.LastQuestion,
            },
            "mistral-tekken" => new MistralChat { Variant = "tekken", System = MistralChat.SystemPlace.LastQuestion },
            "mistral-v7" => new MistralChat { Variant = "v7", System = MistralChat.SystemPlace.Own },
            _ => throw new InputException($"chat template {Quoting.Quote(name)} is unknown; use {string.Join(", ", Names)}."),
        };

    /// <summary>The template of a model, recognised by the markers of the Jinja template that it holds.</summary>
    /// <param name="model">What <see cref="Checkpoints.ModelFiles.Open"/> takes, with tokenizer_config.json or chat_template.jinja.</param>
    /// <exception cref="InputException">The model has no template, or one that is not recognised.</exception>
    public static ChatTemplate Of(string model)
    {
        var config = TokenizerConfig.Read(model);
        if (config.ChatTemplate is null)
            throw new InputException(
                $"{model}: this model has no chat template; name one ({string.Join(", ", Names)}), or use the raw prompt."
            );
        return ChatRecognition.Recognise(config)
            ?? throw new InputException(
                $"{model}: its chat template is none of those that are known; name one ({string.Join(", ", Names)}), or use the raw prompt."
            );
    }

    /// <summary>The text of a conversation whose roles are known and that is not empty.</summary>
    private protected abstract string Text(IReadOnlyList<ChatMessage> messages, bool answer);
}
