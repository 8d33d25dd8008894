using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>What a chat template is asked to render.</summary>
/// <param name="Messages">The turns.</param>
/// <param name="Variables">What the template is given beside them: <c>tools</c>, <c>documents</c>, switches of its own.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, IReadOnlyDictionary<string, JsonElement> Variables)
{
    private const string MessagesKey = "messages";

    /// <summary>Reads a conversation: a JSON array of messages, or an object with <c>messages</c>, all else in it being variables.</summary>
    /// <exception cref="InputException">The file cannot be read or is no conversation.</exception>
    public static Conversation Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file; give a JSON file of messages.");
        var (files, file) = ModelFiles.OfFile(path);
        return files.Json(
            file,
            static root =>
            {
                var messages = root.IsArray ? root : root[MessagesKey];
                return new Conversation(
                    [
                        .. messages
                            .Items()
                            .Select(static message =>
                                message.IsObject ? new ChatMessage(message.Element) : throw message.Unsupported("an object")
                            ),
                    ],
                    root.IsArray
                        ? new Dictionary<string, JsonElement>()
                        : root
                            .Element.EnumerateObject()
                            .Where(static variable => variable.Name != MessagesKey)
                            .GroupBy(static variable => variable.Name)
                            .ToDictionary(static group => group.Key, static group => group.Last().Value.Clone())
                );
            }
        );
    }
}
