namespace LookaheadKV.Evaluation.Tasks;

/// <summary>
/// The words facts are made of. Names are built from syllables, so that they mean nothing, cost a tokenizer few merges, and no word list
/// is needed. The lists share no word with each other nor with the filler.
/// </summary>
public static class Lexicon
{
    /// <summary>96 given names.</summary>
    public static IReadOnlyList<string> GivenNames { get; } = Combine("Mi Be Sa To Lu Ka Ne Jo Du Fi Va Ry", "ra lin ko dan sel vo tas nu");

    /// <summary>96 family names.</summary>
    public static IReadOnlyList<string> FamilyNames { get; } =
        Combine("Tol Ar Bren Cas Dor Hal Kel Mor Nim Quor Ster Wex", "an lo ick wyn eth ush ord emar");

    /// <summary>64 names of variables.</summary>
    public static IReadOnlyList<string> Variables { get; } = Combine("v z k j y l gl dr", "or ed un ix av ul ek om");

    /// <summary>48 adjectives of places and objects.</summary>
    public static IReadOnlyList<string> Adjectives { get; } =
        Cut(
            """
            amber azure brass bronze copper coral crimson crystal ebony emerald frozen gilded
            golden granite hidden hollow indigo iron ivory jade leather lonely lunar marble
            misty mossy oaken olive onyx pearl purple ruby rusty sacred saffron sandy
            scarlet silent silver smoky solar sunken tiny twisted velvet violet wooden woven
            """
        );

    /// <summary>48 things a person can carry.</summary>
    public static IReadOnlyList<string> Objects { get; } =
        Cut(
            """
            lantern mirror compass ring crown flute dagger amulet chalice scroll goblet harp
            helmet necklace locket medal whistle drum coin statue vase candle brooch pendant
            quill hourglass telescope map mask shield sword staff bell bracelet casket clock
            doll feather figurine gem globe horn jar kettle violin spoon puzzle book
            """
        );

    /// <summary>48 places a person can visit.</summary>
    public static IReadOnlyList<string> Places { get; } =
        Cut(
            """
            harbor tower market temple castle library garden bridge mill abbey palace museum
            theater chapel lighthouse village tavern fortress station school bakery forge cellar gallery
            monastery arena archive academy cottage mansion shrine tunnel vault workshop wharf citadel
            courtyard dungeon fountain hospital kitchen laboratory observatory pavilion pier plaza prison stable
            """
        );

    /// <summary>All of them: 400 words.</summary>
    public static IReadOnlyList<string> Words { get; } =
    [.. GivenNames, .. FamilyNames, .. Adjectives, .. Objects, .. Places, .. Variables];

    private static string[] Cut(string text) => text.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);

    private static string[] Combine(string first, string second) => [.. from a in Cut(first) from b in Cut(second) select a + b];
}
