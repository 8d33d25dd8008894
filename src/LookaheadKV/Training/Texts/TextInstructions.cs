namespace LookaheadKV.Training.Texts;

/// <summary>What a model is asked to do with a text, unless a recipe says otherwise; <c>{word}</c> stands for a word of the text.</summary>
internal static class TextInstructions
{
    public static IReadOnlyList<string> All { get; } =
    [
        "Summarise the text in a few sentences.",
        "Write a summary of what you have just read.",
        "What is this text about? Answer in one sentence.",
        "List the main points of the text.",
        "Which people or things does the text mention? List them.",
        "What does the text say about \"{word}\"?",
        "Quote a sentence of the text that contains the word \"{word}\".",
        "In which context does the word \"{word}\" come up?",
        "Explain why \"{word}\" matters in this text.",
        "What happens first in the text, and what happens last?",
        "Repeat the first sentence of the text.",
        "Repeat the last sentence of the text word for word.",
        "Continue the text in the same style.",
        "Give the text a title and say why it fits.",
        "Ask three questions that the text answers, and answer them.",
        "Explain the text to a child.",
        "Rewrite the most important part of the text in simple words.",
        "What is the mood of the text? Name words of it that show this.",
        "Which numbers, dates or names appear in the text?",
        "What could be said against what the text claims?",
        "Describe the place or the situation that the text is set in.",
        "Pick a detail that is easily overlooked and quote it.",
    ];
}
