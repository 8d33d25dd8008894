using System.Text;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;

namespace LookaheadKV.Tests.Text;

/// <summary>Texts to train on and texts to trip over.</summary>
internal static class Samples
{
    public const string End = "<|end|>";
    public const string Ask = "<|ask|>";

    private static readonly string[] Syllables =
    [
        "ka",
        "lo",
        "mir",
        "en",
        "ost",
        "vé",
        "dra",
        "ul",
        "shi",
        "ben",
        "tor",
        "ya",
        "qui",
        "zel",
    ];
    private static readonly string[] Names = ["Orla", "Tavish", "Mirenne", "Kolby", "Sunniva", "Zoë", "Ødger"];
    private static readonly string[] Things = ["lantern", "ledger", "copper key", "barometer", "kite", "naïve café"];
    private static readonly string[] Verbs = ["keeps", "didn't lose", "has sold", "they're mending", "WE'LL paint"];

    private static readonly string[] Fragments =
    [
        " ",
        "  ",
        "   ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        " \n ",
        "\u00a0",
        "\u2028",
        "\u0085",
        "\u3000",
        "'s",
        "'S",
        "'re",
        "'lL",
        "'",
        "''t",
        "don't",
        "I'VE",
        "'d'd",
        "0",
        "42",
        "12345",
        "٣٤",
        "Ⅷ",
        "½",
        "𝟘𝟙",
        ".",
        ",",
        "...",
        "?!",
        "-",
        "—",
        "#",
        "##",
        "# #",
        "$",
        "€",
        "|",
        "<",
        ">",
        "<|",
        "|>",
        "<|end",
        "_",
        "a",
        "A",
        "the",
        " the",
        "lantern",
        "ß",
        "ſ",
        "K",
        "é",
        "e\u0301",
        "\u0301",
        "ñ",
        "Ġ",
        "Ċ",
        "ā",
        "日本",
        "語",
        "ไทย",
        "עברית",
        "हिन्दी",
        "🙂",
        "🙂lo",
        "👩\u200d👩\u200d👧",
        "🇳🇴",
        "𝐀𝐛",
        "𐌰𐌱",
        "𠀀",
        "\U000E0041",
        "\U0010FFFD",
        "\ufeff",
        "\ufffd",
        "\0",
        "\u001f",
        End,
        Ask,
        "<|end|><|end|>",
        "<|end|",
        "x<|ask|>y",
    ]; // csharpier-ignore

    private static readonly Lazy<TokenizerJson> Trained = new(() =>
        BpeTrainer.Train(Templates(3000), 700, [End, Ask], SplitPatterns.Qwen2)
    );

    /// <summary>A tokenizer of 700 entries trained on <see cref="Templates"/>.</summary>
    public static TokenizerJson Definition => Trained.Value;

    /// <summary>The tokenizer of a tokenizer.json.</summary>
    public static Tokenizer Tokenizer(JsonNode json)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, json.ToJsonString());
            return new Tokenizer(TokenizerJson.Read(file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The pattern of a tokenizer's first split.</summary>
    public static string Pattern(this TokenizerJson definition) =>
        definition
            .Rules.PreTokenizers.Select(step => step as PreTokenizer.Split ?? (step as PreTokenizer.SpellBytes)?.Splitter)
            .First(split => split is not null)!
            .Pattern;

    public static IEnumerable<string> Templates(int count, int seed = 1)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
            yield return $"{Pick(random, Names)} {Pick(random, Verbs)} {Word(random)} the {Pick(random, Things)} no. {random.Next(1000)} in {Word(random)}'s "
                + $"{Pick(random, Things)} shop.{(i % 3 == 0 ? "\n\n" : " ")}Was it 🙂{Pick(random, Things)}?{End}";
    }

    /// <summary>The hard fragments alone, in pairs, in random rows, and random code points of all planes.</summary>
    public static IEnumerable<string> Hard(int rows, int seed = 2)
    {
        yield return "";
        foreach (var first in Fragments)
        {
            yield return first;
            foreach (var second in Fragments)
                yield return first + second;
        }

        var random = new Random(seed);
        for (var i = 0; i < rows; i++)
        {
            var text = new StringBuilder();
            for (var left = random.Next(1, 12); left > 0; left--)
                text.Append(random.Next(4) == 0 ? RandomRune(random).ToString() : Pick(random, Fragments));
            yield return text.ToString();
        }
    }

    public static Rune RandomRune(Random random)
    {
        while (true)
        {
            var limit = random.Next(4) switch
            {
                0 => 0x80,
                1 => 0x800,
                2 => 0x10000,
                _ => 0x110000,
            };
            if (Rune.TryCreate(random.Next(limit), out var rune))
                return rune;
        }
    }

    private static string Word(Random random) => string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => Pick(random, Syllables)));

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
