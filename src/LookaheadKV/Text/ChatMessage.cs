using System.Text.Json;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>One turn of a conversation, as JSON: chat templates read whatever they know of, such as <c>tool_calls</c> or a content in parts.</summary>
public sealed record ChatMessage
{
    internal const string AssistantRole = "assistant";

    /// <summary>A turn as it stands in a file.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="InputException">It is none.</exception>
    public ChatMessage(JsonElement json) =>
        Json =
            json.ValueKind == JsonValueKind.Object
                ? json.Clone()
                : throw new InputException(
                    $"a message is {Quoting.Shown(json)}; it must be an object such as {{\"role\": \"user\", \"content\": \"…\"}}."
                );

    /// <summary>A turn of plain text.</summary>
    /// <param name="role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, or what else the template knows.</param>
    /// <param name="content">What is said.</param>
    public ChatMessage(string role, string content)
        : this(JsonSerializer.SerializeToElement(new { role, content })) { }

    /// <summary>The whole turn.</summary>
    public JsonElement Json { get; }

    /// <summary>Who speaks; null where that is no string.</summary>
    public string? Role => Text("role");

    /// <summary>What is said; null where that is no string.</summary>
    public string? Content => Text("content");

    /// <summary>An instruction for the whole conversation.</summary>
    public static ChatMessage System(string content) => new("system", content);

    /// <summary>A question.</summary>
    public static ChatMessage User(string content) => new("user", content);

    /// <summary>An answer.</summary>
    public static ChatMessage Assistant(string content) => new(AssistantRole, content);

    private string? Text(string name) =>
        Json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
