namespace LookaheadKV.Evaluation.Tasks;

/// <summary>
/// Draws the people, things, variables and numbers of one document, none of them twice. Some people and objects look alike: they share
/// one of their two words with an earlier one, so that only both words together find the right fact.
/// </summary>
/// <param name="random">Where everything is drawn from.</param>
/// <param name="twins">Whether the second person and the second object are sure to resemble the first, which a task asks for.</param>
internal sealed class Cast(RandomStream random, bool twins)
{
    private const double LookAlike = 0.3;

    private readonly List<(string, string)> _people = [];
    private readonly List<(string, string)> _items = [];
    private readonly List<(string, string)> _places = [];
    private readonly HashSet<string> _numbers = [];
    private readonly HashSet<string> _variables = [];

    /// <summary>How many variables are left to draw.</summary>
    public int VariablesLeft => Lexicon.Variables.Count - _variables.Count;

    public Person Person()
    {
        var (given, family) = Fresh(_people, Lexicon.GivenNames, Lexicon.FamilyNames, alike: true);
        return new Person(given, family);
    }

    public Thing Item()
    {
        var (adjective, noun) = Fresh(_items, Lexicon.Adjectives, Lexicon.Objects, alike: true);
        return new Thing(adjective, noun);
    }

    public Thing Place()
    {
        var (adjective, noun) = Fresh(_places, Lexicon.Adjectives, Lexicon.Places, alike: false);
        return new Thing(adjective, noun);
    }

    /// <summary>Three digits.</summary>
    public string Number()
    {
        string number;
        do number = random.Below(1000).ToString("D3");
        while (!_numbers.Add(number));
        return number;
    }

    public string Variable()
    {
        string name;
        do name = random.Pick(Lexicon.Variables);
        while (!_variables.Add(name));
        return name;
    }

    private (string, string) Fresh(
        List<(string First, string Second)> known,
        IReadOnlyList<string> first,
        IReadOnlyList<string> second,
        bool alike
    )
    {
        (string First, string Second) drawn;
        do
        {
            drawn = (random.Pick(first), random.Pick(second));
            if (alike && known.Count > 0 && ((twins && known.Count == 1) || random.Chance(LookAlike)))
            {
                var like = random.Pick(known);
                drawn = random.Chance(0.5) ? (like.First, drawn.Second) : (drawn.First, like.Second);
            }
        } while (known.Contains(drawn));
        known.Add(drawn);
        return drawn;
    }
}
