using System.Text;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Split patterns see code points, and cut where the Rust library's engine cuts.</summary>
public class SplitPatternTests
{
    // Patterns of published tokenizers, and corners of the grammar.
    private static readonly string[] Patterns =
    [
        SplitPatterns.Gpt2,
        SplitPatterns.Qwen2,
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s+(?!\S)|\s+",
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        "[一-龥ࠀ-一가-퟿]+",
        @"[\p{Han}]+|[^\p{Han}\p{Hangul}]{2}|\p{Katakana}",
        "[一-龥぀-ゟ゠-ヿ]+|\\p{N}{1,3}",
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
        @"[\x{1F000}-\x{1FFFF}]+|\u4e00|\x41",
        @"\w+|[^\w\s]+",
        @"\b.|\B",
        @"^\s*|\s*$",
        @"(?i)[K-Mſ]x?|É",
        @"[^[:^digit:]b-d&&[^c5]]",
        @"[]a-]|[\]\-^]|[^]]{2}?",
        @"(?>a+)b|(?<=a)c|(?<!a)d|(?:e|f)(g)",
        @"x{,2}y|\p{^Lu}{2,}?\P{Ll}",
        @"\A.|.\z|(?m:..)|(?-i:A)",
        @"\h\H|\D\d|\S\W",
        @"a*",
        @"",
    ];

    [Fact]
    public void CutsWhereTheRustLibraryCuts()
    {
        var random = new Random(11);
        foreach (var pattern in Patterns)
            AssertSame(pattern, random);
    }

    [Fact]
    public void CutsRandomPatternsWhereTheRustLibraryCuts()
    {
        var random = new Random(12);
        for (var round = 0; round < 40; round++)
            AssertSame(new RandomPattern(random).Alternatives(2), random);
    }

    [Theory]
    [InlineData(
        @"\s",
        @"\S",
        @"\d",
        @"\D",
        @"\h",
        ".",
        @"[[:space:]]",
        @"[[:digit:]]",
        @"[[:xdigit:]]",
        @"[[:word:]]",
        @"\p{Any}",
        @"\p{ASCII}"
    )]
    [InlineData(@"\w", @"\W", @"[\w]", @"[^\w]", @"\p{Word}", @"[\p{Word}]", @"\P{Word}")]
    [InlineData(@"\p{Han}", @"\p{Hiragana}", @"\p{Katakana}", @"\p{Hangul}", @"\P{Han}")]
    [InlineData(@"\p{L}", @"\p{M}", @"\p{N}", @"\p{P}", @"\p{S}", @"\p{Z}", @"\p{C}", @"\p{Letter}", @"\p{other number}", @"\p{^Lu}")]
    [InlineData(@"\p{Lu}", @"\p{Ll}", @"\p{Lt}", @"\p{Lm}", @"\p{Lo}", @"\p{Mn}", @"\p{Mc}", @"\p{Me}", @"\p{Nd}", @"\p{Nl}", @"\p{No}")]
    [InlineData(@"\p{Pc}", @"\p{Pd}", @"\p{Ps}", @"\p{Pe}", @"\p{Pi}", @"\p{Pf}", @"\p{Po}", @"\p{Sm}", @"\p{Sc}", @"\p{Sk}", @"\p{So}")]
    [InlineData(
        @"\p{Zs}",
        @"\p{Zl}",
        @"\p{Zp}",
        @"\p{Cc}",
        @"\p{Cf}",
        @"\p{Co}",
        @"\p{Cn}",
        @"(?i:[sk])",
        @"(?i:s)",
        @"(?i:k)",
        @"(?i:[^k])"
    )]
    public void NamedSetsHaveTheRustLibrarysMembers(params string[] sets)
    {
        var random = new Random(14);
        var edges = CodePoints.Boundaries.Concat(Enumerable.Range(0, 0x500)).SelectMany(point => (int[])[point - 1, point]);
        int[] points =
        [
            .. edges.Concat(Enumerable.Range(0, 1500).Select(_ => Samples.RandomRune(random).Value)).Where(Rune.IsValid).Distinct(),
        ];
        foreach (var set in sets)
        {
            using var rust = RustTokenizer.Plain(OneSplit(set));
            var matcher = SplitPattern.Of(set, "here");
            foreach (var text in points.Select(point => new Rune(point).ToString()))
                Assert.True((rust.Encode(text).Length == 0) == matcher.Matches(text) is [_], $"{set}: U+{char.ConvertToUtf32(text, 0):X}");
        }
    }

    /// <summary>A tokenizer that leaves out what a pattern matches; the rest are unknown tokens.</summary>
    private static JsonObject OneSplit(string pattern)
    {
        var model = RustTokenizer.Model(["<unk>"]);
        model["unk_token"] = "<unk>";
        return new JsonObject
        {
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Split",
                ["pattern"] = new JsonObject { ["Regex"] = pattern },
                ["behavior"] = "Removed",
                ["invert"] = false,
            },
            ["model"] = model,
        };
    }

    [Theory]
    [InlineData(@"\p{Runic}+", "Runic")]
    [InlineData(@"[[:alpha:]]", "alpha")]
    [InlineData(@"(?<name>a)", "(?<n")]
    [InlineData(@"(?x: a )", "(?x:")]
    [InlineData(@"a\1", @"\\1")]
    [InlineData(@"\R", @"\\R")]
    [InlineData(@"(a", "( without its )")]
    [InlineData(@"a)", ") without its (")]
    [InlineData(@"[a", "[ without its ]")]
    [InlineData(@"*a", "* with nothing before it")]
    [InlineData(@"[z-a]", "backwards")]
    [InlineData(@"\x{110000}", "110000")]
    [InlineData(@"\x{D800}", "D800")]
    [InlineData("a\\", "at its end")]
    [InlineData(@"(?i:ss)", "two where case is ignored")]
    [InlineData(@"(?i:ß)", "two where case is ignored")]
    public void RefusesByNameWhatItDoesNotDo(string pattern, string named)
    {
        var message = Assert.Throws<InputException>(() => SplitPattern.Of(pattern, "here")).Message;
        Assert.StartsWith("here: ", message);
        Assert.Contains(named, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void AnyTextIsNoPatternOrOneThatRuns()
    {
        var random = new Random(13);
        for (var round = 0; round < 1000; round++)
        {
            const string Signs = @"a-z[]^\(?:){,2}+*|.$px{L}&iu🙂0";
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => Signs[random.Next(Signs.Length)]));
            try
            {
                SplitPattern.Of(Tokenizer.WellFormed(text), "here");
            }
            catch (InputException) { }
        }
    }

    /// <summary>
    /// Where a tokenizer knows no character, each piece is one unknown token; where it knows some, the pieces show between those that it
    /// does not know.
    /// </summary>
    private static void AssertSame(string pattern, Random random)
    {
        var alphabet = Alphabet(pattern, random);
        string[] texts = [.. Enumerable.Range(0, 60).Select(_ => Text(alphabet, random))];
        foreach (var known in (int[])[0, 1, 2])
        foreach (var behavior in known == 0 ? Enum.GetValues<SplitBehavior>() : [SplitBehavior.Isolated])
        {
            var model = RustTokenizer.Model([
                "<unk>",
                .. alphabet.Index().Where(entry => known > 0 && entry.Index % 2 == known - 1).Select(entry => entry.Item),
            ]);
            (model["unk_token"], model["fuse_unk"]) = ("<unk>", true);
            var json = new JsonObject
            {
                ["added_tokens"] = new JsonArray(),
                ["pre_tokenizer"] = new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject { ["Regex"] = pattern },
                    ["behavior"] = behavior.ToString(),
                    ["invert"] = random.Next(2) == 0,
                },
                ["model"] = model,
            };
            using var rust = RustTokenizer.Plain(json);
            try
            {
                rust.AssertSame(Samples.Tokenizer(json), texts);
            }
            catch (Exception error) when (error is not InputException)
            {
                throw new InvalidOperationException($"{behavior}, {pattern}", error);
            }
        }
    }

    private static string[] Alphabet(string pattern, Random random)
    {
        var own = pattern.EnumerateRunes().SelectMany(rune => (int[])[rune.Value - 1, rune.Value, rune.Value + 1]);
        int[] others = [.. Enumerable.Range(0, 60).Select(_ => Samples.RandomRune(random).Value), .. "aAbBxyK ſé\r\n\t0½٣.-'_"];
        int[] odd =
        [
            0x1F100,
            0x11000,
            0x10140,
            0x1D165,
            0x20000,
            0x1F642,
            0x1D538,
            0x1D7D8,
            0x10400,
            0x10428,
            0xE0041,
            0x10FFFD,
            0xB2,
            0xBC,
        ];
        return [.. own.Concat(others).Concat(odd).Where(Rune.IsValid).Distinct().Select(point => new Rune(point).ToString())];
    }

    private static string Text(string[] alphabet, Random random) =>
        string.Concat(
            Enumerable
                .Range(0, random.Next(12))
                .SelectMany(_ => Enumerable.Repeat(alphabet[random.Next(alphabet.Length)], random.Next(1, 3)))
        );

    /// <summary>Patterns from the grammar, with ranges in all planes.</summary>
    private sealed class RandomPattern(Random random)
    {
        private static readonly string[] Sets =
        [
            @"\s",
            @"\S",
            @"\w",
            @"\W",
            @"\d",
            @"\D",
            @"\p{L}",
            @"\p{Lu}",
            @"\p{N}",
            @"\P{M}",
            @"\p{^P}",
            @"\p{S}",
            @"\h",
        ];
        private static readonly string[] Quantifiers =
        [
            "*",
            "+",
            "?",
            "*?",
            "+?",
            "??",
            "++",
            "?+",
            "{2}",
            "{1,2}",
            "{1,}",
            "{,2}",
            "{1,2}?",
        ];

        public string Alternatives(int depth) => string.Join('|', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Branch(depth)));

        private string Branch(int depth) => string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => Quantified(depth)));

        private string Quantified(int depth) => Atom(depth) + (random.Next(2) == 0 ? "" : Pick(Quantifiers));

        private string Atom(int depth) =>
            random.Next(depth > 0 ? 7 : 5) switch
            {
                0 => Pick(Sets),
                1 => ".",
                2 => Character(),
                5 => $"({Pick(["?:", "?:", "?>", "?i:"])}{Alternatives(depth - 1).Replace("ss", "s")})",
                6 => $"({Pick(["?=", "?!"])}{Alternatives(depth - 1)})\\p{{L}}",
                _ => Class(2),
            };

        private string Class(int depth)
        {
            var items = string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => Item(depth)));
            return $"[{(random.Next(3) == 0 ? "^" : "")}{items}{(random.Next(5) == 0 ? $"&&{Item(depth)}" : "")}]";
        }

        private string Item(int depth) =>
            random.Next(depth > 0 ? 5 : 4) switch
            {
                0 => Pick(Sets),
                1 => Character(),
                4 => Class(depth - 1),
                _ => Range(),
            };

        private string Range()
        {
            var (first, last) = (Samples.RandomRune(random), Samples.RandomRune(random));
            return $"{Escaped(first < last ? first : last)}-{Escaped(first < last ? last : first)}";
        }

        private string Character() => Escaped(random.Next(2) == 0 ? new Rune("aAkKsx_ -."[random.Next(10)]) : Samples.RandomRune(random));

        private string Escaped(Rune rune) => random.Next(2) == 0 && rune.Value > 0x7F ? rune.ToString() : $@"\x{{{rune.Value:X}}}";

        private string Pick(string[] from) => from[random.Next(from.Length)];
    }
}
