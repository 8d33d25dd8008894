namespace LookaheadKV.Jinja;

/// <summary>Where Unicode's full case mappings differ from the simple ones that .NET has (SpecialCasing.txt, without what depends on a language).</summary>
internal static class CaseTable
{
    // A code point, its upper case, its title case.
    private static readonly string[] Special =
    [
        "\u00DF SS Ss,\u0149 \u02BCN \u02BCN,\u01F0 J\u030C J\u030C,\u0390 \u0399\u0308\u0301 \u0399\u0308\u0301",
        "\u03B0 \u03A5\u0308\u0301 \u03A5\u0308\u0301,\u0587 \u0535\u0552 \u0535\u0582,\u1E96 H\u0331 H\u0331,\u1E97 T\u0308 T\u0308",
        "\u1E98 W\u030A W\u030A,\u1E99 Y\u030A Y\u030A,\u1E9A A\u02BE A\u02BE,\u1F50 \u03A5\u0313 \u03A5\u0313",
        "\u1F52 \u03A5\u0313\u0300 \u03A5\u0313\u0300,\u1F54 \u03A5\u0313\u0301 \u03A5\u0313\u0301,\u1F56 \u03A5\u0313\u0342 \u03A5\u0313\u0342",
        "\u1F80 \u1F08\u0399 \u1F88,\u1F81 \u1F09\u0399 \u1F89,\u1F82 \u1F0A\u0399 \u1F8A,\u1F83 \u1F0B\u0399 \u1F8B,\u1F84 \u1F0C\u0399 \u1F8C",
        "\u1F85 \u1F0D\u0399 \u1F8D,\u1F86 \u1F0E\u0399 \u1F8E,\u1F87 \u1F0F\u0399 \u1F8F,\u1F88 \u1F08\u0399 \u1F88,\u1F89 \u1F09\u0399 \u1F89",
        "\u1F8A \u1F0A\u0399 \u1F8A,\u1F8B \u1F0B\u0399 \u1F8B,\u1F8C \u1F0C\u0399 \u1F8C,\u1F8D \u1F0D\u0399 \u1F8D,\u1F8E \u1F0E\u0399 \u1F8E",
        "\u1F8F \u1F0F\u0399 \u1F8F,\u1F90 \u1F28\u0399 \u1F98,\u1F91 \u1F29\u0399 \u1F99,\u1F92 \u1F2A\u0399 \u1F9A,\u1F93 \u1F2B\u0399 \u1F9B",
        "\u1F94 \u1F2C\u0399 \u1F9C,\u1F95 \u1F2D\u0399 \u1F9D,\u1F96 \u1F2E\u0399 \u1F9E,\u1F97 \u1F2F\u0399 \u1F9F,\u1F98 \u1F28\u0399 \u1F98",
        "\u1F99 \u1F29\u0399 \u1F99,\u1F9A \u1F2A\u0399 \u1F9A,\u1F9B \u1F2B\u0399 \u1F9B,\u1F9C \u1F2C\u0399 \u1F9C,\u1F9D \u1F2D\u0399 \u1F9D",
        "\u1F9E \u1F2E\u0399 \u1F9E,\u1F9F \u1F2F\u0399 \u1F9F,\u1FA0 \u1F68\u0399 \u1FA8,\u1FA1 \u1F69\u0399 \u1FA9,\u1FA2 \u1F6A\u0399 \u1FAA",
        "\u1FA3 \u1F6B\u0399 \u1FAB,\u1FA4 \u1F6C\u0399 \u1FAC,\u1FA5 \u1F6D\u0399 \u1FAD,\u1FA6 \u1F6E\u0399 \u1FAE,\u1FA7 \u1F6F\u0399 \u1FAF",
        "\u1FA8 \u1F68\u0399 \u1FA8,\u1FA9 \u1F69\u0399 \u1FA9,\u1FAA \u1F6A\u0399 \u1FAA,\u1FAB \u1F6B\u0399 \u1FAB,\u1FAC \u1F6C\u0399 \u1FAC",
        "\u1FAD \u1F6D\u0399 \u1FAD,\u1FAE \u1F6E\u0399 \u1FAE,\u1FAF \u1F6F\u0399 \u1FAF,\u1FB2 \u1FBA\u0399 \u1FBA\u0345",
        "\u1FB3 \u0391\u0399 \u1FBC,\u1FB4 \u0386\u0399 \u0386\u0345,\u1FB6 \u0391\u0342 \u0391\u0342,\u1FB7 \u0391\u0342\u0399 \u0391\u0342\u0345",
        "\u1FBC \u0391\u0399 \u1FBC,\u1FC2 \u1FCA\u0399 \u1FCA\u0345,\u1FC3 \u0397\u0399 \u1FCC,\u1FC4 \u0389\u0399 \u0389\u0345",
        "\u1FC6 \u0397\u0342 \u0397\u0342,\u1FC7 \u0397\u0342\u0399 \u0397\u0342\u0345,\u1FCC \u0397\u0399 \u1FCC",
        "\u1FD2 \u0399\u0308\u0300 \u0399\u0308\u0300,\u1FD3 \u0399\u0308\u0301 \u0399\u0308\u0301,\u1FD6 \u0399\u0342 \u0399\u0342",
        "\u1FD7 \u0399\u0308\u0342 \u0399\u0308\u0342,\u1FE2 \u03A5\u0308\u0300 \u03A5\u0308\u0300,\u1FE3 \u03A5\u0308\u0301 \u03A5\u0308\u0301",
        "\u1FE4 \u03A1\u0313 \u03A1\u0313,\u1FE6 \u03A5\u0342 \u03A5\u0342,\u1FE7 \u03A5\u0308\u0342 \u03A5\u0308\u0342",
        "\u1FF2 \u1FFA\u0399 \u1FFA\u0345,\u1FF3 \u03A9\u0399 \u1FFC,\u1FF4 \u038F\u0399 \u038F\u0345,\u1FF6 \u03A9\u0342 \u03A9\u0342",
        "\u1FF7 \u03A9\u0342\u0399 \u03A9\u0342\u0345,\u1FFC \u03A9\u0399 \u1FFC,\uFB00 FF Ff,\uFB01 FI Fi,\uFB02 FL Fl,\uFB03 FFI Ffi",
        "\uFB04 FFL Ffl,\uFB05 ST St,\uFB06 ST St,\uFB13 \u0544\u0546 \u0544\u0576,\uFB14 \u0544\u0535 \u0544\u0565",
        "\uFB15 \u0544\u053B \u0544\u056B,\uFB16 \u054E\u0546 \u054E\u0576,\uFB17 \u0544\u053D \u0544\u056D",
    ];

    // A letter in title case of its own for each of four pairs of letters: upper, title, lower.
    private static readonly string[] Digraphs = ["\u01C4\u01C5\u01C6", "\u01C7\u01C8\u01C9", "\u01CA\u01CB\u01CC", "\u01F1\u01F2\u01F3"];

    private static readonly string[][] Rows =
    [
        .. Special.SelectMany(static row => row.Split(',')).Select(static entry => entry.Split(' ')),
    ];

    public static IReadOnlyDictionary<string, string> Upper { get; } = Rows.ToDictionary(static row => row[0], static row => row[1]);

    public static IReadOnlyDictionary<string, string> Title { get; } =
        Rows.Select(static row => (row[0], row[2]))
            .Concat(Digraphs.SelectMany(static letters => letters.Select(letter => (letter.ToString(), letters[1].ToString()))))
            .Concat(Georgian())
            .ToDictionary(static pair => pair.Item1, static pair => pair.Item2);

    public static IReadOnlyDictionary<string, string> Lower { get; } = new Dictionary<string, string> { ["\u0130"] = "i\u0307" };

    /// <summary>What is lower case without being a lower-case letter (Other_Lowercase): modifier letters, Roman numerals, circled letters.</summary>
    public static IReadOnlySet<string> OtherLower { get; } =
        Ranges([
            (0xAA, 0xAA),
            (0xBA, 0xBA),
            (0x2B0, 0x2B8),
            (0x2C0, 0x2C1),
            (0x2E0, 0x2E4),
            (0x345, 0x345),
            (0x37A, 0x37A),
            (0x1D2C, 0x1D6A),
            (0x1D78, 0x1D78),
            (0x1D9B, 0x1DBF),
            (0x2071, 0x2071),
            (0x207F, 0x207F),
            (0x2090, 0x209C),
            (0x2170, 0x217F),
            (0x24D0, 0x24E9),
            (0x2C7C, 0x2C7D),
            (0xA69C, 0xA69D),
            (0xA770, 0xA770),
            (0xA7F8, 0xA7F9),
            (0xAB5C, 0xAB5F),
            (0x10780, 0x10780),
            (0x10783, 0x10785),
            (0x10787, 0x107B0),
            (0x107B2, 0x107BA),
        ]);

    // Georgian letters have an upper case, but titles are not written with it.
    private static IEnumerable<(string, string)> Georgian() =>
        Ranges([(0x10D0, 0x10FA), (0x10FD, 0x10FF)]).Select(static letter => (letter, letter));

    private static HashSet<string> Ranges((int From, int To)[] ranges) =>
        [.. ranges.SelectMany(static range => Enumerable.Range(range.From, range.To - range.From + 1)).Select(char.ConvertFromUtf32)];
}
