namespace LookaheadKV.Evaluation.Tasks;

/// <summary>Every exact form of words of the synthetic world, but the filler's, in one place.</summary>
public static class Templates
{
    /// <summary>The token every prompt begins with.</summary>
    public const string Begin = "<|begin|>";

    /// <summary>The token every answer ends with.</summary>
    public const string End = "<|end|>";

    /// <summary>The token that fills up what is too short.</summary>
    public const string Pad = "<|pad|>";

    /// <summary>The question of a prompt whose real question stands before its text.</summary>
    public const string FirstQuestion = "Answer the first question.";

    internal const string EveryCode = "List every code.";

    /// <summary>A prompt: a text and a question about it.</summary>
    /// <param name="text">Sentences, each ending with a period, with single spaces between them.</param>
    /// <param name="question">The question, with its question mark or period.</param>
    public static string Prompt(string text, string question) => Document(text) + Ask(question);

    /// <summary>A prompt whose question stands before the text.</summary>
    /// <param name="text">Sentences, each ending with a period, with single spaces between them.</param>
    /// <param name="question">The question, with its question mark or period.</param>
    public static string QuestionFirstPrompt(string text, string question) => Document(text, question) + Ask(FirstQuestion);

    /// <summary>A question after a text, or after the answer to another question, up to where its answer starts.</summary>
    public static string Ask(string question) => $"{QuestionMark} {question}\nAnswer:";

    internal const string QuestionMark = "\nQuestion:";

    internal static string Document(string text, string? questionBefore = null) =>
        questionBefore is null ? $"{Begin}Text: {text}" : $"{Begin}Question: {questionBefore}\nText: {text}";

    internal static string Prompt(Question question, string text) =>
        question.Task == TaskNames.QuestionFirst ? QuestionFirstPrompt(text, question.Text) : Prompt(text, question.Text);

    internal static string Sentence(Fact fact) =>
        fact switch
        {
            CodeFact(var who, var code) => $" {who}'s code is {code}",
            VisitFact(var who, var place) => $" {who} visited the {place}",
            CarryFact(var who, var item) => $" {who} carries the {item}",
            RoomFact(var item, var room) => $" The {item} opens room {room}",
            LetFact(var name, var value) => $" Let {name} be {value}",
            _ => throw new ArgumentOutOfRangeException(nameof(fact), fact, "no template states this fact"),
        };

    internal static string CodeOf(Person who) => $"What is {who}'s code?";

    internal static string CodesOf(IReadOnlyList<Person> who) =>
        $"What are the codes of {string.Join(", ", who.Take(who.Count - 1))} and {who[^1]}?";

    internal static string PlacesOf(Person who) => $"Which places did {who} visit?";

    internal static string RoomOf(Person who) => $"Which room does {who}'s object open?";

    internal static string Trace(string variable) => $"Trace {variable}.";
}
