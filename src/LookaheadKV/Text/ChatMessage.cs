namespace LookaheadKV.Text;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks: <c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content)
{
    internal const string SystemRole = "system";
    internal const string UserRole = "user";
    internal const string AssistantRole = "assistant";

    /// <summary>An instruction for the whole conversation.</summary>
    public static ChatMessage System(string content) => new(SystemRole, content);

    /// <summary>A question.</summary>
    public static ChatMessage User(string content) => new(UserRole, content);

    /// <summary>An answer.</summary>
    public static ChatMessage Assistant(string content) => new(AssistantRole, content);
}
