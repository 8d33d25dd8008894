using System.Globalization;
using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Lookahead.Texts;

/// <summary>Random words, names, places, dates and numbers for facts.</summary>
internal static class FactWords
{
    private static readonly string[] Adjectives =
    [
        "amber",
        "ancient",
        "blue",
        "brass",
        "broken",
        "calm",
        "carved",
        "clumsy",
        "copper",
        "crimson",
        "crooked",
        "dusty",
        "eager",
        "empty",
        "faded",
        "famous",
        "foreign",
        "gentle",
        "gilded",
        "golden",
        "green",
        "heavy",
        "hidden",
        "hollow",
        "idle",
        "iron",
        "ivory",
        "lively",
        "lonely",
        "lost",
        "marble",
        "modest",
        "narrow",
        "northern",
        "oaken",
        "painted",
        "pale",
        "patient",
        "plain",
        "polished",
        "proud",
        "purple",
        "quiet",
        "rusty",
        "scarlet",
        "secret",
        "silver",
        "slender",
        "small",
        "southern",
        "spare",
        "striped",
        "tall",
        "tired",
        "velvet",
        "wandering",
        "western",
        "white",
        "wooden",
        "yellow",
    ];

    private static readonly string[] Nouns =
    [
        "anchor",
        "anvil",
        "barge",
        "basket",
        "bell",
        "bridge",
        "bucket",
        "button",
        "candle",
        "canoe",
        "carpet",
        "carriage",
        "chair",
        "chisel",
        "compass",
        "cradle",
        "curtain",
        "drum",
        "easel",
        "falcon",
        "feather",
        "fiddle",
        "fountain",
        "hammer",
        "harp",
        "helmet",
        "kettle",
        "ladder",
        "lantern",
        "ledger",
        "lemon",
        "letter",
        "lever",
        "loom",
        "mantle",
        "map",
        "mill",
        "mirror",
        "oar",
        "orchard",
        "oven",
        "parasol",
        "pigeon",
        "pillow",
        "plough",
        "raft",
        "ribbon",
        "saddle",
        "scarf",
        "shovel",
        "sledge",
        "spindle",
        "stove",
        "sundial",
        "telescope",
        "trumpet",
        "umbrella",
        "wagon",
        "whistle",
    ];

    private static readonly string[] FirstNames =
    [
        "Ada",
        "Albert",
        "Amina",
        "Anton",
        "Beatrix",
        "Boris",
        "Carla",
        "Cedric",
        "Clara",
        "Dario",
        "Doris",
        "Edgar",
        "Elena",
        "Emil",
        "Farid",
        "Fiona",
        "Georg",
        "Greta",
        "Hakim",
        "Hilda",
        "Igor",
        "Ines",
        "Jakob",
        "Joan",
        "Karim",
        "Katja",
        "Lars",
        "Leonie",
        "Marta",
        "Milo",
        "Nadia",
        "Niels",
        "Olga",
        "Oscar",
        "Paula",
        "Quentin",
        "Rosa",
        "Rupert",
        "Selma",
        "Stefan",
        "Tamara",
        "Theo",
        "Ulla",
        "Victor",
        "Wanda",
        "Xenia",
        "Yusuf",
        "Zora",
    ];

    private static readonly string[] Beginnings =
    [
        "Al",
        "Bar",
        "Bel",
        "Cor",
        "Dal",
        "Dor",
        "El",
        "Fen",
        "Gar",
        "Hal",
        "Hol",
        "Kar",
        "Kel",
        "Lan",
        "Lor",
        "Mar",
        "Mel",
        "Nor",
        "Or",
        "Pel",
        "Quin",
        "Ras",
        "Ros",
        "Sal",
        "Sel",
        "Tam",
        "Tor",
        "Ul",
        "Var",
        "Wel",
        "Yar",
        "Zan",
    ];

    private static readonly string[] Middles = ["a", "e", "i", "o", "u", "an", "en", "er", "in", "or", "ul", "ay"];
    private static readonly string[] TownEnds =
    [
        "bridge",
        "bury",
        "by",
        "dale",
        "field",
        "ford",
        "gate",
        "ham",
        "haven",
        "mouth",
        "port",
        "stead",
        "ton",
        "wick",
    ];
    private static readonly string[] NameEnds =
    [
        "bach",
        "dottir",
        "feld",
        "ley",
        "man",
        "mann",
        "nik",
        "ov",
        "quist",
        "rado",
        "ski",
        "son",
        "tani",
        "vik",
    ];

    public static string Adjective(RandomStream random) => random.Pick(Adjectives);

    public static string Noun(RandomStream random) => random.Pick(Nouns);

    public static string Person(RandomStream random) => $"{random.Pick(FirstNames)} {Invented(random, NameEnds)}";

    public static string Place(RandomStream random) => Invented(random, TownEnds);

    public static string Date(RandomStream random) =>
        new DateOnly(1650, 1, 1).AddDays(random.Below(365 * 400)).ToString("d MMMM yyyy", CultureInfo.InvariantCulture);

    /// <summary>So many digits, the first not 0.</summary>
    public static string Digits(RandomStream random, int count) =>
        string.Concat(Enumerable.Range(0, count).Select(i => (char)('0' + (i == 0 ? random.Between(1, 9) : random.Below(10)))));

    public static string Hex(RandomStream random, int count) =>
        string.Concat(Enumerable.Range(0, count).Select(_ => "0123456789abcdef"[random.Below(16)]));

    public static string Letters(RandomStream random, int count, bool upper) =>
        string.Concat(Enumerable.Range(0, count).Select(_ => (char)((upper ? 'A' : 'a') + random.Below(26))));

    private static string Invented(RandomStream random, string[] ends) =>
        random.Pick(Beginnings) + random.Pick(Middles) + random.Pick(ends);
}
