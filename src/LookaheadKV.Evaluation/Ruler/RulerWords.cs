using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>The names, numbers and codes that RULER's tasks hide.</summary>
internal static class RulerWords
{
    private static readonly string[] MoreAdjectives = """
        able airy ancient antique aquatic arctic awake balmy barren bashful blunt bold brave brief brisk candid careful
        chilly clever cloudy coastal cosmic curious daring distant dreamy dusty eager earnest early eastern elder elegant empty
        faded famous fearless festive fierce final floral fluffy foreign formal fragile frank gentle giant glad glossy graceful
        grand grateful hardy hasty heavy honest humble idle jolly keen kind lazy lively local loud loyal lucky magic major
        merry mighty modern modest narrow neat nimble noble northern odd patient plain playful polite proud quaint quick rapid
        rare remote restless rich robust rough royal rural secret severe shy simple sleepy slender smooth sober solemn southern
        spicy stout subtle sunny swift tall tender thick thin timid tough tranquil urban useful vague vast vivid wary
        western wild wise witty young zesty
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static readonly string[] Adjectives = [.. Lexicon.Adjectives, .. MoreAdjectives];

    private static readonly string[] Nouns = [.. Lexicon.Objects, .. Lexicon.Places];

    /// <summary>All names: an adjective and a noun with a hyphen between them, none a part of another.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. from adjective in Adjectives from noun in Nouns select $"{adjective}-{noun}"];

    /// <summary>All names in random order.</summary>
    public static string[] Shuffled(RandomStream random)
    {
        string[] names = [.. Names];
        random.Shuffle(names.AsSpan());
        return names;
    }

    /// <summary>One of <see cref="Names"/>.</summary>
    public static string Name(RandomStream random) => random.Pick(Names);

    /// <summary>A number of seven digits, the first not 0.</summary>
    public static string Number(RandomStream random) => random.Between(1_000_000, 9_999_999).ToString();

    /// <summary>A random UUID (version 4): 32 hexadecimal digits with hyphens.</summary>
    public static string Code(RandomStream random)
    {
        Span<byte> bytes = stackalloc byte[16];
        foreach (ref var value in bytes)
            value = (byte)random.Below(256);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    /// <summary>That many random letters, from <paramref name="first"/> (<c>a</c> or <c>A</c>) on.</summary>
    public static string Letters(RandomStream random, int count, char first) =>
        string.Concat(Enumerable.Range(0, count).Select(_ => (char)(first + random.Below(26))));

    /// <summary>Something drawn that is not in the set yet, and now is.</summary>
    public static string Fresh(HashSet<string> taken, Func<string> draw)
    {
        string drawn;
        do drawn = draw();
        while (!taken.Add(drawn));
        return drawn;
    }
}
