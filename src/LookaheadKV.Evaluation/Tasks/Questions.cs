namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The questions of the tasks, answered from a document's facts in their order in the text.</summary>
internal static class Questions
{
    /// <summary>A task's question.</summary>
    /// <param name="task">The task.</param>
    /// <param name="asked">The groups that the question is about, of the task's kind. A chain is asked for from its last link.</param>
    /// <param name="facts">All facts of the document, in the order of the text.</param>
    public static Question Ask(string task, IReadOnlyList<Fact[]> asked, IReadOnlyList<Fact> facts) =>
        task switch
        {
            TaskNames.Single or TaskNames.MultiKey or TaskNames.QuestionFirst => Code(task, (CodeFact)asked[0][0]),
            TaskNames.MultiValue => Places(((VisitFact)asked[0][0]).Who, facts),
            TaskNames.MultiQuery => Codes([.. asked.Select(static group => (CodeFact)group[0])]),
            TaskNames.TwoHop => Room(asked[0].OfType<CarryFact>().Single(), facts),
            TaskNames.Variables => Trace(((LetFact)asked[0][^1]).Name, facts),
            TaskNames.ListAll => EveryCode(facts),
            _ => throw new ArgumentOutOfRangeException(nameof(task), task, "no such task"),
        };

    private static Question Code(string task, CodeFact fact) => new(task, Templates.CodeOf(fact.Who), $" {fact.Code}");

    private static Question Codes(IReadOnlyList<CodeFact> asked) =>
        new(
            TaskNames.MultiQuery,
            Templates.CodesOf([.. asked.Select(static fact => fact.Who)]),
            List(asked.Select(static fact => fact.Code))
        );

    private static Question EveryCode(IEnumerable<Fact> facts) =>
        new(TaskNames.ListAll, Templates.EveryCode, List(facts.OfType<CodeFact>().Select(static fact => $"{fact.Who} {fact.Code}")));

    private static Question Places(Person who, IEnumerable<Fact> facts) =>
        new(
            TaskNames.MultiValue,
            Templates.PlacesOf(who),
            List(facts.OfType<VisitFact>().Where(fact => fact.Who == who).Select(static fact => $"the {fact.Place}"))
        );

    private static Question Room(CarryFact carry, IEnumerable<Fact> facts)
    {
        // The answer spells the chain out: each hop is one look-up, and still no window at the prompt's end can see the second hop.
        var room = facts.OfType<RoomFact>().Single(fact => fact.Item == carry.Item);
        return new(TaskNames.TwoHop, Templates.RoomOf(carry.Who), List([$"the {carry.Item}", room.Room]));
    }

    private static Question Trace(string variable, IEnumerable<Fact> facts)
    {
        var values = facts.OfType<LetFact>().ToDictionary(static fact => fact.Name, static fact => fact.Value);
        var chain = new List<string>();
        for (var at = variable; values.TryGetValue(at, out var value); at = value)
            chain.Add(value);
        return new(TaskNames.Variables, Templates.Trace(variable), List(chain));
    }

    private static string List(IEnumerable<string> things) => $" {string.Join(", ", things)}";
}
