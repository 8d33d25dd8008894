namespace LookaheadKV.Evaluation.Tasks;

/// <summary>
/// Sentences about weather, work and landscape that carry no fact: they use no name, no digit and none of the words of facts.
/// </summary>
public static class Filler
{
    // A word in braces is a slot, filled with one word of the list of that name. Slots never open a sentence, so no word needs two spellings.
    private static readonly string[] Forms =
    [
        "It {rained}",
        "It {rained} {often}",
        "The {rain} {fell}",
        "The {rain} {fell} {often}",
        "The {rain} {fell} over the {hill}",
        "The {rain} {fell} {near} the {steep} {hill}",
        "The {cold} {rain} {fell} before {dawn}",
        "The {rain} and the {rain} {fell} {near} the {hill}",
        "The {hill} was {steep} and {steep}",
        "The {hill} {near} the {hill} looked {steep}",
        "The {hill} stayed {steep} until {dawn}",
        "The {farmer} {slept}",
        "The {farmer} {slept} {near} the {hill}",
        "The {farmer} {mended} the {fence}",
        "The {farmer} {mended} {a} {old} {fence} {often}",
        "The {farmer} and the {farmer} {mended} the {fence} after {dawn}",
        "The {old} {fence} was {mended} by the {farmer}",
        "A {farmer} {slept} beside the {old} {fence}",
        "A {cold} {rain} {fell} {near} the {hill} at {dawn}",
        "A {farmer} {mended} every {fence} {near} the {hill}",
        "At {dawn} the {rain} {fell}",
        "At {dawn} the {farmer} {mended} the {fence}",
        "In {spring} the {farmer} {mended} the {old} {fence}",
        "In {spring} the {rain} {fell} {often} over the {steep} {hill}",
        "After {dawn} the {rain} {fell} {often}",
        "Before {dawn} the {farmer} {slept} {near} the {hill}",
        "By {dawn} the {hill} was {steep}",
        "When the {rain} {fell}, the {farmer} {slept}",
        "When the {farmer} {slept}, the {rain} {fell} {often}",
        "While the {rain} {fell}, the {farmer} {mended} the {fence}",
        "Many {people} talked about the {rain}",
        "Many {people} {slept} {near} the {hill} because it {rained}",
        "Some {people} wanted {bread} but the {farmer} {slept}",
        "Some {people} brought {bread} to the {farmer} at {dawn}",
        "Every {farmer} liked {bread} and {bread}",
        "Nobody saw the {rain} {near} the {hill}",
        "Nobody {mended} the {old} {fence}",
        "There was {bread} for the {farmer} and the {farmer}",
        "They said that the {hill} was too {steep} for the {fence}",
        "They {slept} {often}",
    ];

    private static readonly Dictionary<string, string> Slots = new()
    {
        ["a"] = "the every this that another",
        ["rained"] = "rained snowed hailed thundered cleared",
        ["rain"] = "rain snow wind frost fog hail thunder sunshine drizzle sleet storm breeze cloud dew haze heat gale shower thaw gust",
        ["cold"] = "cold warm light heavy sudden mild harsh fresh gray long",
        ["fell"] = "fell drifted settled lingered faded spread gathered moved rolled swept returned passed arrived vanished eased grew",
        ["hill"] =
            "hill valley meadow river field forest lake shore marsh cliff moor path slope stream pond hedge plain ridge canyon dune "
            + "glacier heath lagoon prairie ravine swamp coast desert",
        ["steep"] = "steep wide narrow deep quiet bright dull dry wet dark pale calm busy green brown cold warm",
        ["near"] = "near along across behind beyond above below beside",
        ["often"] = "often slowly quietly early late again soon gently together quickly softly steadily calmly rarely twice daily nearby",
        ["dawn"] = "dawn noon night sunrise sunset midnight dusk daybreak nightfall breakfast supper harvest",
        ["spring"] = "spring summer autumn winter",
        ["farmer"] =
            "farmer baker sailor teacher weaver miner potter painter fisher carpenter doctor singer clerk driver hunter smith tailor "
            + "shepherd cook mason guard merchant porter scholar student nurse judge pilot",
        ["slept"] = "slept waited rested worked walked talked sang stood sat laughed listened paused",
        ["mended"] = "mended cleaned washed stacked counted sorted loaded measured polished covered moved pulled pushed lifted sold bought",
        ["old"] = "old new broken dirty clean heavy light flat round strong weak cheap large small",
        ["fence"] =
            "fence wagon barrel basket plow cart roof gate wheel bench ladder barn oven stove blanket bucket shovel hammer saddle "
            + "table chair boat net",
        ["people"] = "people children neighbors families workers travelers",
        ["bread"] = "bread soup tea coffee cheese honey salt butter fish rice milk flour",
    };

    private static readonly string[][] Choices = [.. Slots.Values.Select(static words => words.Split(' '))];

    private static readonly Part[][] Templates = [.. Forms.Select(Parse)];

    /// <summary>How many templates there are.</summary>
    public static int TemplateCount => Forms.Length;

    /// <summary>Every word that filler can contain, as it is spelled there.</summary>
    public static IReadOnlyList<string> Words { get; } =
    [
        .. Templates
            .SelectMany(static parts => parts.Where(static part => part.Literal is not null))
            .SelectMany(static part => part.Literal!.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries))
            .Concat(Choices.SelectMany(static words => words))
            .Distinct(),
    ];

    /// <summary>A sentence with a space before it and no period after it.</summary>
    internal static string Draw(RandomStream random)
    {
        var parts = random.Pick(Templates);
        var words = new string[parts.Length];
        for (var i = 0; i < parts.Length; i++)
            words[i] = parts[i].Literal ?? Fresh(parts[i].Words, words);
        return string.Concat(words);

        // No sentence says "the rain and the rain".
        string Fresh(string[] choices, string[] taken)
        {
            string word;
            do word = random.Pick(choices);
            while (taken.Contains(word));
            return word;
        }
    }

    private static Part[] Parse(string form) =>
        [
            .. (" " + form)
                .Split('{', '}')
                .Select(static (text, i) => i % 2 == 0 ? new Part(text, []) : new Part(null, Slots[text].Split(' ')))
                .Where(static part => part.Literal != ""),
        ];

    private readonly record struct Part(string? Literal, string[] Words);
}
