using System.Text;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;

namespace LookaheadKV.Tests.Text;

/// <summary>Forms of tokenizer.json from the grammar of what we read: any steps in any order, over vocabularies with holes.</summary>
internal sealed class RandomTokenizer(Random random)
{
    private bool firstCounts;

    private static readonly string[] Letters =
    [
        .. "abcdeABst ,.-0129\n\t▁éß日🙂𐐷İſ".EnumerateRunes().Select(rune => rune.ToString()),
        "e\u0301",
        "ﬁ",
    ];

    private static readonly (int First, int Last)[] OldBlocks =
    [
        (0, 0x24F),
        (0x400, 0x4FF),
        (0x621, 0x64A),
        (0x4E00, 0x9FA5),
        (0xAC00, 0xD7A3),
        (0x1D400, 0x1D454),
        (0x1F300, 0x1F579),
        (0x20000, 0x2A6D6),
        (0xE0020, 0xE007F),
        (0x10FFF0, 0x10FFFD),
    ];

    /// <summary>A text of its letters, and of others.</summary>
    public string Text() =>
        string.Concat(
            Enumerable
                .Range(0, random.Next(15))
                .Select(_ =>
                    random.Next(6) == 0 ? OldRune().ToString()
                    : random.Next(12) == 0 ? Pick(["<s>", "</s>", "<w>"])
                    : Pick(Letters)
                )
        );

    /// <summary>A tokenizer, and how many ids it has.</summary>
    public (JsonObject Json, int Size) Next()
    {
        var byteLevel = random.Next(3) > 0;
        var model = Model(byteLevel);
        var size = model["vocab"]!.AsObject().Count;
        var normalizer = Sequence("normalizers", random.Next(3), Normalizer);
        // What a normalizer takes from the start of a text, the Rust library still counts when it looks for the start.
        firstCounts = normalizer is null;
        var json = new JsonObject
        {
            ["added_tokens"] = new JsonArray(
                Added(size, "<s>", special: true),
                Added(size + 1, "</s>", special: true),
                Added(size + 2, "<w>", special: false)
            ),
            ["normalizer"] = normalizer,
            ["pre_tokenizer"] = Sequence("pretokenizers", random.Next(4), PreTokenizer, byteLevel ? ByteLevel() : null),
            ["post_processor"] = PostProcessor(size),
            ["decoder"] = byteLevel ? ByteLevel() : Decoder(),
            ["model"] = model,
        };
        return (json, size + 3);
    }

    // The Rust library's Punctuation and StripAccents know the characters of Unicode 8 only.
    private Rune OldRune()
    {
        var (first, last) = OldBlocks[random.Next(OldBlocks.Length)];
        return new Rune(random.Next(first, last + 1));
    }

    private JsonObject Model(bool byteLevel)
    {
        var symbols = byteLevel
            ? [.. Enumerable.Range(0, 256).Select(value => LookaheadKV.Text.ByteLevel.Spell((byte)value))]
            : Letters.SelectMany(letter => letter.EnumerateRunes()).Select(rune => rune.ToString()).Distinct().ToArray();
        List<string> tokens = ["<unk>", .. symbols.Where(_ => random.Next(8) > 0)];
        if (random.Next(2) == 0)
            tokens.AddRange(ByteTokens.All.Where(_ => random.Next(20) > 0));
        var merges = new HashSet<(string, string)>();
        var usual = byteLevel
            ? [.. Letters.SelectMany(letter => LookaheadKV.Text.ByteLevel.Spell(letter)).Select(unit => unit.ToString())]
            : symbols;
        for (var i = 0; i < 60; i++)
        {
            var (left, right) = (Part(), Part());
            if (!tokens.Contains(left) || !tokens.Contains(right) || !merges.Add((left, right)))
                continue;
            if (!tokens.Contains(left + right))
                tokens.Add(left + right);
        }

        var whole = tokens.Contains("abc") ? tokens : [.. tokens, "abc"]; // an entry that no merge may make
        return new JsonObject
        {
            ["type"] = "BPE",
            ["unk_token"] = random.Next(3) == 0 ? null : "<unk>",
            ["fuse_unk"] = Coin(),
            ["byte_fallback"] = Coin(),
            ["ignore_merges"] = Coin(),
            ["vocab"] = new JsonObject(whole.Index().Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Item, entry.Index))),
            ["merges"] = new JsonArray([.. merges.Select(merge => new JsonArray(merge.Item1, merge.Item2))]),
        };

        static bool CanMerge(string token) => token != "<unk>" && ByteTokens.Value(token) is null;

        string Part() => random.Next(3) == 0 ? Pick([.. tokens.Where(CanMerge)]) : Pick(usual);
    }

    private JsonObject Added(int id, string content, bool special) =>
        new()
        {
            ["id"] = id,
            ["content"] = content,
            ["special"] = special,
            ["normalized"] = Coin(),
            ["single_word"] = random.Next(4) == 0,
            ["lstrip"] = random.Next(4) == 0,
            ["rstrip"] = random.Next(4) == 0,
        };

    private JsonObject Normalizer() =>
        random.Next(9) switch
        {
            0 => Step(Pick(["NFC", "NFD", "NFKC", "NFKD"])),
            1 => Step("Lowercase"),
            2 => Step("StripAccents"),
            3 => Step("Strip", ("strip_left", Coin()), ("strip_right", Coin())),
            4 => Step("Replace", ("pattern", String(Pick(Letters))), ("content", Pick([.. Letters, ""]))),
            5 => Step("Replace", ("pattern", Regex(Pick([@"\s+", @"[a-c]{2}", @"\p{Lu}|\d", "^."]))), ("content", Pick([.. Letters, ""]))),
            6 => Step("Prepend", ("prepend", Pick(["▁", "x", " "]))),
            7 => Step("Replace", ("pattern", String(" ")), ("content", "▁")),
            _ => Step("NFC"),
        };

    private JsonObject PreTokenizer() =>
        random.Next(9) switch
        {
            0 => Step("Digits", ("individual_digits", Coin())),
            1 => Step("Punctuation", ("behavior", Behavior())),
            2 => Step("Whitespace"),
            3 => Step("WhitespaceSplit"),
            4 => Step("BertPreTokenizer"),
            5 => Step("CharDelimiterSplit", ("delimiter", Pick(["a", "-", "é"]))),
            6 => Step(
                "Metaspace",
                ("replacement", "▁"),
                ("prepend_scheme", Pick(["always", "never", firstCounts ? "first" : "always"])),
                ("split", Coin())
            ),
            7 => Step("Split", ("pattern", String(Pick(Letters))), ("behavior", Behavior()), ("invert", Coin())),
            _ => Step(
                "Split",
                ("pattern", Regex(Pick([SplitPatterns.Gpt2, SplitPatterns.Qwen2, @"\p{N}{1,3}", @"[a-c]", @"\s+(?!\S)", @"b*"]))),
                ("behavior", Behavior()),
                ("invert", Coin())
            ),
        };

    private JsonObject ByteLevel() => Step("ByteLevel", ("add_prefix_space", Coin()), ("trim_offsets", true), ("use_regex", Coin()));

    private JsonNode? Decoder() =>
        random.Next(5) switch
        {
            0 => null,
            1 => Step("Metaspace", ("replacement", "▁"), ("prepend_scheme", Pick(["always", "first", "never"])), ("split", Coin())),
            2 => Step(
                "Sequence",
                (
                    "decoders",
                    new JsonArray(
                        Step("ByteFallback"),
                        Step("Metaspace", ("replacement", "▁"), ("prepend_scheme", "first"), ("split", true))
                    )
                )
            ),
            _ => Step(
                "Sequence",
                (
                    "decoders",
                    new JsonArray([
                        .. Some(Step("Replace", ("pattern", String("▁")), ("content", " "))),
                        .. Some(Step("ByteFallback")),
                        .. Some(Step("Replace", ("pattern", String("a")), ("content", "xy"))),
                        .. Some(Step("Fuse")),
                        .. Some(Step("Strip", ("content", Pick([" ", "b"])), ("start", random.Next(3)), ("stop", 0))),
                    ])
                )
            ),
        };

    private JsonNode? PostProcessor(int size)
    {
        JsonObject Special(string token) =>
            new()
            {
                ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = 0 },
            };
        JsonObject Known(string token, int id) =>
            new()
            {
                ["id"] = token,
                ["ids"] = new JsonArray(id),
                ["tokens"] = new JsonArray(token),
            };
        var template = Step(
            "TemplateProcessing",
            (
                "single",
                new JsonArray([
                    .. Some(Special("<s>")),
                    new JsonObject
                    {
                        ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 },
                    },
                    .. Some(Special("</s>")),
                ])
            ),
            ("pair", new JsonArray(Sequence("A"), Sequence("B"))),
            ("special_tokens", new JsonObject { ["<s>"] = Known("<s>", size), ["</s>"] = Known("</s>", size + 1) })
        );
        return random.Next(5) switch
        {
            0 => null,
            1 => ByteLevel(),
            2 => template,
            3 => Step(
                "RobertaProcessing",
                ("sep", new JsonArray("</s>", size + 1)),
                ("cls", new JsonArray("<s>", size)),
                ("trim_offsets", true),
                ("add_prefix_space", true)
            ),
            _ => Step("Sequence", ("processors", new JsonArray(ByteLevel(), template))),
        };

        static JsonObject Sequence(string id) =>
            new()
            {
                ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = 0 },
            };
    }

    private static JsonNode? Sequence(string name, int count, Func<JsonObject> step, JsonObject? last = null)
    {
        JsonObject[] steps = [.. Enumerable.Range(0, count).Select(_ => step()), .. last is null ? [] : (JsonObject[])[last]];
        return steps switch
        {
            [] => null,
            [var one] => one,
            _ => Step("Sequence", (name, new JsonArray([.. steps]))),
        };
    }

    private static JsonObject Step(string type, params (string Name, JsonNode? Value)[] fields) =>
        new(fields.Prepend(("type", type)).Select(field => KeyValuePair.Create(field.Item1, field.Item2)));

    private static JsonObject String(string text) => new() { ["String"] = text };

    private static JsonObject Regex(string pattern) => new() { ["Regex"] = pattern };

    private IEnumerable<JsonNode> Some(JsonNode step) => Coin() ? [step] : [];

    private string Behavior() => Pick(Enum.GetNames<SplitBehavior>());

    private bool Coin() => random.Next(2) == 0;

    private string Pick(string[] from) => from[random.Next(from.Length)];
}
