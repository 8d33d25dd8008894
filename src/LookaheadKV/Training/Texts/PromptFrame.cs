using LookaheadKV.Text;

namespace LookaheadKV.Training.Texts;

/// <summary>What a chat template puts around one question, as tokens.</summary>
/// <param name="Head">Tokens before the question.</param>
/// <param name="Tail">Tokens behind it, up to where the answer begins.</param>
/// <param name="EndTokens">Tokens that end an answer, beside those of the model's configuration.</param>
public sealed record PromptFrame(int[] Head, int[] Tail, IReadOnlyList<int> EndTokens)
{
    // Letters alone, which no template changes.
    private const string Place = "ThePlaceOfTheQuestion";

    /// <summary>The frame of a template.</summary>
    /// <exception cref="InputException">The template does not give a question back as it is.</exception>
    public static PromptFrame Of(ChatTemplate template, Tokenizer tokenizer)
    {
        var parts = template.Render([ChatMessage.User(Place)]).Split(Place);
        if (parts.Length != 2)
            throw new InputException($"the chat template has {parts.Length - 1} places for a question; one is needed.");
        return new(tokenizer.Encode(parts[0]), tokenizer.Encode(parts[1]), template.EndToken(tokenizer) is { } end ? [end] : []);
    }
}
