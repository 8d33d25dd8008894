using System.Globalization;
using System.Text;

namespace LookaheadKV.Text;

/// <summary>A set of code points by its rule, and the names under which split patterns know some of them.</summary>
/// <param name="Contains">Whether a code point, not a surrogate, is in the set.</param>
internal sealed record CodePoints(Predicate<int> Contains)
{
    private static readonly (int First, int Last)[] CircledLetters =
    [
        (0x24B6, 0x24E9),
        (0x1F130, 0x1F149),
        (0x1F150, 0x1F169),
        (0x1F170, 0x1F189),
    ];

    private static readonly string[] Categories =
    [
        "Lu Uppercase_Letter",
        "Ll Lowercase_Letter",
        "Lt Titlecase_Letter",
        "Lm Modifier_Letter",
        "Lo Other_Letter",
        "Mn Nonspacing_Mark",
        "Mc Spacing_Mark",
        "Me Enclosing_Mark",
        "Nd Decimal_Number",
        "Nl Letter_Number",
        "No Other_Number",
        "Zs Space_Separator",
        "Zl Line_Separator",
        "Zp Paragraph_Separator",
        "Cc Control",
        "Cf Format",
        "Cs Surrogate",
        "Co Private_Use",
        "Pc Connector_Punctuation",
        "Pd Dash_Punctuation",
        "Ps Open_Punctuation",
        "Pe Close_Punctuation",
        "Pi Initial_Punctuation",
        "Pf Final_Punctuation",
        "Po Other_Punctuation",
        "Sm Math_Symbol",
        "Sc Currency_Symbol",
        "Sk Modifier_Symbol",
        "So Other_Symbol",
        "Cn Unassigned",
    ];

    public static readonly CodePoints None = new(static _ => false);
    public static readonly CodePoints Digits = Category("Nd");
    public static readonly CodePoints Spaces = new(static point => Rune.IsWhiteSpace(new Rune(point)));
    public static readonly CodePoints HexDigits = new(static point => point < 128 && char.IsAsciiHexDigit((char)point));

    /// <summary>Unicode's word characters: what is alphabetic, marks, decimal digits, connectors.</summary>
    public static readonly CodePoints Words = new(IsWord);

    /// <summary>The same as Oniguruma has it outside brackets, where Latin-1's raised digits and fractions are word characters too.</summary>
    public static readonly CodePoints BareWords = new(static point =>
        IsWord(point) || point is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE)
    );

    private static readonly Dictionary<string, CodePoints> Named = Names();

    // Letters that are one where case is ignored, by each of them: k, K and the Kelvin sign.
    private static readonly Lazy<Dictionary<int, int[]>> Cases = new(() =>
        Enumerable
            .Range(0, 0x1E944)
            .Where(Rune.IsValid)
            .GroupBy(Folded)
            .Where(group => group.Count() > 1)
            .Select(group => group.ToArray())
            .SelectMany(group => group.Select(point => (point, group)))
            .ToDictionary()
    );

    /// <summary>The code points up to U+FFFF but for surrogates, in order, by the short name of their category.</summary>
    public static IReadOnlyList<(string Category, int[] Points)> BasicPlane { get; } =
    [
        .. Enumerable
            .Range(0, 0x10000)
            .Where(Rune.IsValid)
            .GroupBy(CharUnicodeInfo.GetUnicodeCategory)
            .Select(group => (Categories[(int)group.Key][..2], group.ToArray())),
    ];

    /// <summary>Where, above U+FFFF, the members of all sets that have a name may change.</summary>
    public static IReadOnlyList<int> Boundaries { get; } =
    [
        .. Enumerable
            .Range(0x10000, 0x100000)
            .Where(static point =>
                point == 0x10000 || CharUnicodeInfo.GetUnicodeCategory(point) != CharUnicodeInfo.GetUnicodeCategory(point - 1)
            )
            .Concat(CircledLetters.Where(range => range.First > 0xFFFF).SelectMany(range => (int[])[range.First, range.Last + 1]))
            .Concat(
                Scripts
                    .Ranges.Values.SelectMany(ranges => ranges)
                    .SelectMany(range => (int[])[range.First, range.Last + 1])
                    .Where(point => point > 0xFFFF)
            ),
    ];

    /// <summary>The code points from one to another, both included.</summary>
    public static CodePoints Range(int first, int last) => new(point => point >= first && point <= last);

    /// <summary>A set by its name in \p{…}: a general category, a script, or one of POSIX's classes; null for another name.</summary>
    public static CodePoints? Property(string name) => Named.GetValueOrDefault(Plain(name));

    public CodePoints Not() => new(point => !Contains(point));

    public CodePoints Or(CodePoints other) => new(point => Contains(point) || other.Contains(point));

    public CodePoints And(CodePoints other) => new(point => Contains(point) && other.Contains(point));

    /// <summary>The set, and what differs from its members in case only.</summary>
    public CodePoints IgnoringCase() => new(point => Contains(point) || SameButForCase(point).Any(other => Contains(other)));

    /// <summary>A code point and those that differ from it in case only.</summary>
    public static IReadOnlyList<int> SameButForCase(int point) =>
        point < 128 ? (char.IsAsciiLetter((char)point) ? AsciiCases((char)point) : [point])
        : Cases.Value.TryGetValue(point, out var all) ? all
        : [point];

    public static bool IsWord(int point) =>
        CharUnicodeInfo.GetUnicodeCategory(point)
            is <= UnicodeCategory.LetterNumber // letters, marks, decimal digits
                or UnicodeCategory.ConnectorPunctuation
        || CircledLetters.Any(range => point >= range.First && point <= range.Last);

    private static int[] AsciiCases(char letter)
    {
        var small = char.ToLowerInvariant(letter);
        int[] pair = [small, char.ToUpperInvariant(letter)];
        return small switch
        {
            's' => [.. pair, 0x17F], // the long s
            'k' => [.. pair, 0x212A], // the Kelvin sign
            _ => pair,
        };
    }

    private static CodePoints Category(string name)
    {
        var wanted = Categories.Select(names => names.Split(' ')).Index().Where(entry => entry.Item[0].StartsWith(name)).ToArray();
        var mask = wanted.Aggregate(0, (bits, entry) => bits | (1 << entry.Index));
        return new(point => ((mask >> (int)CharUnicodeInfo.GetUnicodeCategory(point)) & 1) != 0);
    }

    private static Dictionary<string, CodePoints> Names()
    {
        var named = new Dictionary<string, CodePoints>
        {
            ["letter"] = Category("L"),
            ["mark"] = Category("M"),
            ["number"] = Category("N"),
            ["separator"] = Category("Z"),
            ["other"] = Category("C"),
            ["punctuation"] = Category("P"),
            ["symbol"] = Category("S"),
            ["any"] = None.Not(),
            ["ascii"] = Range(0, 127),
            ["digit"] = Digits,
            ["space"] = Spaces,
            ["word"] = Words,
            ["xdigit"] = HexDigits,
        };
        foreach (var (script, ranges) in Scripts.Ranges)
            named[Plain(script)] = new(point => ranges.Any(range => point >= range.First && point <= range.Last));
        foreach (var names in Categories.Select(names => names.Split(' ')))
        {
            named[Plain(names[0])] = named[Plain(names[1])] = Category(names[0]);
            named[Plain(names[0][..1])] = Category(names[0][..1]);
        }

        return named;
    }

    private static string Plain(string name) => name.Replace("_", "").Replace("-", "").Replace(" ", "").ToLowerInvariant();

    private static int Folded(int point) =>
        point switch
        {
            0x17F => 's', // the long s: .NET leaves it alone
            0x1E9E => 0xDF, // capital sharp s
            _ => Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(point))).Value,
        };
}
