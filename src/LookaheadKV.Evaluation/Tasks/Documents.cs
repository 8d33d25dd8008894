using System.Text;

namespace LookaheadKV.Evaluation.Tasks;

/// <summary>Makes documents: groups of facts, their order, the filler between them.</summary>
internal static class Documents
{
    // How many visits and links a group has that nobody asks for.
    private static readonly (int Low, int High) OtherVisits = (1, 3);
    private static readonly (int Low, int High) OtherLinks = (2, 4);

    /// <summary>
    /// The groups of a document: first those that are asked for, then others, as many as wanted while all facts have at most
    /// <paramref name="cap"/> tokens; the least that the task needs come in any case.
    /// </summary>
    public static List<Fact[]> Groups(TaskShape shape, int size, int wanted, int cap, Cast cast, PieceEncoder encoder, RandomStream random)
    {
        List<Fact[]> groups = [.. Enumerable.Range(0, shape.Asked(size)).Select(_ => Group(shape.Kind, size, cast, random))];
        AddOthers(groups, shape.Kind, shape.Least(size), wanted, cap, cast, encoder, random);
        return groups;
    }

    /// <summary>Adds groups of a kind until the document has <paramref name="wanted"/> or its facts reach the cap.</summary>
    public static void AddOthers(
        List<Fact[]> groups,
        GroupKind kind,
        int least,
        int wanted,
        int cap,
        Cast cast,
        PieceEncoder encoder,
        RandomStream random
    )
    {
        var tokens = groups.Sum(group => Count(group, encoder));
        while (groups.Count < Math.Max(least, wanted) && OtherGroup(kind, groups.Count < least, cast, random) is { } group)
        {
            tokens += Count(group, encoder);
            if (tokens > cap && groups.Count >= least)
                break;
            groups.Add(group);
        }
    }

    /// <summary>What kind of group it is.</summary>
    public static GroupKind KindOf(Fact[] group) =>
        group[0] switch
        {
            CodeFact => GroupKind.Code,
            VisitFact => GroupKind.Visits,
            LetFact => GroupKind.Chain,
            _ => GroupKind.Carry,
        };

    /// <summary>All facts in a random order that keeps the order inside each group (a variable is defined before it is used).</summary>
    public static List<Fact> Order(IReadOnlyList<Fact[]> groups, RandomStream random)
    {
        var turns = groups.SelectMany(static (group, index) => Enumerable.Repeat(index, group.Length)).ToArray();
        random.Shuffle<int>(turns);
        var next = new int[groups.Count];
        return [.. turns.Select(group => groups[group][next[group]++])];
    }

    /// <summary>
    /// A text that states the facts in this order at uniformly random places among filler sentences, as many as fit into
    /// <paramref name="room"/> tokens beside the facts.
    /// </summary>
    public static string Text(IReadOnlyList<Fact> facts, int room, PieceEncoder encoder, RandomStream random)
    {
        var filler = Fill(room, encoder, random);
        var text = new StringBuilder();
        for (int told = 0, filled = 0; told < facts.Count || filled < filler.Count; )
        {
            var factNext = random.Below(facts.Count - told + filler.Count - filled) < facts.Count - told;
            text.Append(factNext ? Templates.Sentence(facts[told++]) : filler[filled++]).Append('.');
        }
        return text.ToString(1, text.Length - 1);
    }

    // One group; size counts visits or links, where the kind has several.
    private static Fact[] Group(GroupKind kind, int size, Cast cast, RandomStream random)
    {
        switch (kind)
        {
            case GroupKind.Code:
                return [new CodeFact(cast.Person(), cast.Number())];
            case GroupKind.Visits:
                var visitor = cast.Person();
                return [.. Enumerable.Range(0, size).Select(_ => new VisitFact(visitor, cast.Place()))];
            case GroupKind.Carry:
                var item = cast.Item();
                Fact[] hops = [new CarryFact(cast.Person(), item), new RoomFact(item, cast.Number())];
                random.Shuffle<Fact>(hops);
                return hops;
            case GroupKind.Chain:
                var chain = new Fact[size];
                var value = cast.Number();
                for (var link = 0; link < size; link++)
                {
                    var name = cast.Variable();
                    chain[link] = new LetFact(name, value);
                    value = name;
                }
                return chain;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such group");
        }
    }

    // One group more, null where the world has no more names. One that must be there is as short as they come, so that it fits where any does.
    private static Fact[]? OtherGroup(GroupKind kind, bool shortest, Cast cast, RandomStream random)
    {
        var (low, high) = kind is GroupKind.Visits ? OtherVisits : OtherLinks;
        var size = shortest ? low : random.Between(low, high);
        return kind is GroupKind.Chain && cast.VariablesLeft < size ? null : Group(kind, size, cast, random);
    }

    private static int Count(IEnumerable<Fact> facts, PieceEncoder encoder) =>
        facts.Sum(fact => encoder.Count(Templates.Sentence(fact)) + encoder.Count("."));

    private static List<string> Fill(int room, PieceEncoder encoder, RandomStream random)
    {
        // Near the end a drawn sentence is often too long: a few more tries find a short one.
        const int Tries = 16;
        var period = encoder.Count(".");
        var sentences = new List<string>();
        for (var missed = 0; room > 0 && missed < Tries; )
        {
            var sentence = Filler.Draw(random);
            var cost = encoder.Count(sentence) + period;
            if (cost > room)
            {
                missed++;
                continue;
            }
            room -= cost;
            sentences.Add(sentence);
        }
        return sentences;
    }
}
