using System.Text.RegularExpressions;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

/// <summary>
/// Reads a document as a person would, sentence by sentence, and answers questions about it. It shares nothing with the generators but the
/// English of their sentences.
/// </summary>
internal sealed partial class Solver
{
    private readonly List<(string Who, string Code)> _codes = [];
    private readonly List<(string Who, string Place)> _visits = [];
    private readonly List<(string Who, string Item)> _carries = [];
    private readonly List<(string Item, string Room)> _rooms = [];
    private readonly List<(string Name, string Value)> _lets = [];
    private readonly string? _questionBefore;

    private Solver(string text, string? questionBefore)
    {
        _questionBefore = questionBefore;
        Sentences = text.TrimEnd('.').Split(". ");
        foreach (var sentence in Sentences)
            Facts.Add(Read(sentence));
    }

    /// <summary>The sentences of the text, without their periods.</summary>
    public string[] Sentences { get; }

    /// <summary>For each sentence, whether it states a fact.</summary>
    public List<bool> Facts { get; } = [];

    public IReadOnlyList<(string Who, string Code)> Codes => _codes;

    public IReadOnlyList<(string Who, string Place)> Visits => _visits;

    public IReadOnlyList<(string Who, string Item)> Carries => _carries;

    public IReadOnlyList<(string Item, string Room)> Rooms => _rooms;

    public IReadOnlyList<(string Name, string Value)> Lets => _lets;

    /// <summary>Takes a prompt apart: the document, and the question at its end.</summary>
    public static (Solver Document, string Question) Parse(string prompt)
    {
        var match = Prompt().Match(prompt);
        Assert.True(match.Success, prompt);
        var before = match.Groups["before"];
        return (new Solver(match.Groups["text"].Value, before.Success ? before.Value : null), match.Groups["question"].Value);
    }

    /// <summary>The answer to a question, with the space before it.</summary>
    public string Answer(string question)
    {
        if (question == "Answer the first question.")
            return Answer(_questionBefore!);
        if (question == "List every code.")
            return Join(_codes.Select(code => $"{code.Who} {code.Code}"));
        if (Matches(question, @"^What is (\w+ \w+)'s code\?$") is [var who])
            return Join([CodeOf(who)]);
        if (Matches(question, @"^What are the codes of (.+) and (\w+ \w+)\?$") is [var most, var last])
            return Join([.. most.Split(", ").Append(last).Select(CodeOf)]);
        if (Matches(question, @"^Which places did (\w+ \w+) visit\?$") is [var visitor])
            return Join(_visits.Where(visit => visit.Who == visitor).Select(visit => $"the {visit.Place}"));
        if (Matches(question, @"^Which room does (\w+ \w+)'s object open\?$") is [var carrier])
        {
            var item = Assert.Single(_carries, carry => carry.Who == carrier).Item;
            return Join([$"the {item}", Assert.Single(_rooms, room => room.Item == item).Room]);
        }
        if (Matches(question, @"^Trace (\w+)\.$") is [var variable])
        {
            var chain = new List<string>();
            for (var at = variable; !char.IsDigit(at[0]); at = chain[^1])
                chain.Add(Assert.Single(_lets, let => let.Name == at).Value);
            return Join(chain);
        }
        throw new Xunit.Sdk.XunitException($"nobody understands the question '{question}'");
    }

    private string CodeOf(string who) => Assert.Single(_codes, code => code.Who == who).Code;

    private static string Join(IEnumerable<string> things) => " " + string.Join(", ", things);

    private bool Read(string sentence)
    {
        if (Matches(sentence, @"^([A-Z]\w+ [A-Z]\w+)'s code is (\d\d\d)$") is [var who, var code])
            _codes.Add((who, code));
        else if (Matches(sentence, @"^([A-Z]\w+ [A-Z]\w+) visited the (\w+ \w+)$") is [var visitor, var place])
            _visits.Add((visitor, place));
        else if (Matches(sentence, @"^([A-Z]\w+ [A-Z]\w+) carries the (\w+ \w+)$") is [var carrier, var carried])
            _carries.Add((carrier, carried));
        else if (Matches(sentence, @"^The (\w+ \w+) opens room (\d\d\d)$") is [var item, var room])
            _rooms.Add((item, room));
        else if (Matches(sentence, @"^Let (\w+) be (\w+)$") is [var name, var value])
        {
            Assert.True(char.IsDigit(value[0]) || _lets.Any(let => let.Name == value), $"'{sentence}' uses {value} before it is defined");
            _lets.Add((name, value));
        }
        else
            return false;
        return true;
    }

    private static string[] Matches(string text, string pattern) =>
        [.. Regex.Match(text, pattern).Groups.Values.Skip(1).Where(group => group.Success).Select(group => group.Value)];

    [GeneratedRegex(
        @"^<\|begin\|>(Question: (?<before>[^\n]+)\n)?Text: (?<text>[A-Z][^\n]+\.)\nQuestion: (?<question>[^\n]+)\nAnswer:$",
        RegexOptions.ExplicitCapture
    )]
    private static partial Regex Prompt();
}
