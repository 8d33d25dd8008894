using System.Globalization;
using System.Text;
using LookaheadKV.Text;

namespace LookaheadKV.Tests.Text;

/// <summary>Byte-level BPE written out by hand, rune by rune and merge by merge: no regular expression, no tokenizer library, no cache.</summary>
internal static class ReferenceBpe
{
    public static List<int> Encode(TokenizerJson definition, string text)
    {
        var ids = new List<int>();
        var plain = new StringBuilder();
        for (var at = 0; at < text.Length; )
        {
            var here = definition
                .AddedTokens.Where(token => string.CompareOrdinal(text, at, token.Content, 0, token.Content.Length) == 0)
                .MaxBy(token => token.Content.Length);
            if (here is null)
            {
                plain.Append(text[at++]);
                continue;
            }

            EncodePlain(definition, plain, ids);
            ids.Add(here.Id);
            at += here.Content.Length;
        }

        EncodePlain(definition, plain, ids);
        return ids;
    }

    /// <summary>The pieces of a text under one of the two patterns.</summary>
    public static List<string> Split(string pattern, string text)
    {
        Func<Rune[], int, int> next = pattern == SplitPatterns.Gpt2 ? Gpt2 : Qwen2;
        var runes = text.EnumerateRunes().ToArray();
        var pieces = new List<string>();
        for (var at = 0; at < runes.Length; )
        {
            var end = next(runes, at);
            pieces.Add(string.Concat(runes[at..end]));
            at = end;
        }

        return pieces;
    }

    /// <summary>Joins neighbours in the order of the merges, one occurrence at a time.</summary>
    public static List<string> Merge(IReadOnlyList<(string Left, string Right)> merges, IEnumerable<string> symbols)
    {
        var row = symbols.ToList();
        while (true)
        {
            var (best, place) = (int.MaxValue, -1);
            for (var i = 1; i < row.Count; i++)
            {
                var rank = Rank(merges, row[i - 1], row[i]);
                if (rank < best)
                    (best, place) = (rank, i - 1);
            }

            if (place < 0)
                return row;
            row[place] += row[place + 1];
            row.RemoveAt(place + 1);
        }
    }

    /// <summary>GPT-2's letter for a byte, by the rule that the ones without a glyph of their own take the next free letter from 256.</summary>
    public static string Letter(byte value)
    {
        static bool HasGlyph(int code) => code is > 32 and < 127 or > 160 and not 173;
        return ((char)(HasGlyph(value) ? value : 256 + Enumerable.Range(0, value).Count(code => !HasGlyph(code)))).ToString();
    }

    private static void EncodePlain(TokenizerJson definition, StringBuilder plain, List<int> ids)
    {
        foreach (var piece in Split(definition.Rules.Patterns[0], plain.ToString()))
        {
            var letters = Encoding.UTF8.GetBytes(piece).Select(Letter);
            ids.AddRange(Merge(definition.Merges, letters).Select(spelling => definition.Vocabulary[spelling]));
        }

        plain.Clear();
    }

    private static int Rank(IReadOnlyList<(string Left, string Right)> merges, string left, string right)
    {
        for (var i = 0; i < merges.Count; i++)
        {
            if (merges[i].Left == left && merges[i].Right == right)
                return i;
        }

        return int.MaxValue;
    }

    private static int Qwen2(Rune[] text, int at)
    {
        if (Contraction(text, at, ignoreCase: true) is > 0 and var contraction)
            return contraction;
        var word = !Letter(text[at]) && !Newline(text[at]) && !Digit(text[at]) ? at + 1 : at;
        if (While(text, word, Letter) is var letters && letters > word)
            return letters;
        if (Digit(text[at]))
            return at + 1;
        var sign = text[at].Value == ' ' ? at + 1 : at;
        if (While(text, sign, Sign) is var signs && signs > sign)
            return While(text, signs, Newline);
        var space = While(text, at, Rune.IsWhiteSpace);
        var newline = Array.FindLastIndex(text[..space], Newline);
        return newline >= at ? newline + 1 : Space(text, at, space);
    }

    private static int Gpt2(Rune[] text, int at)
    {
        if (Contraction(text, at, ignoreCase: false) is > 0 and var contraction)
            return contraction;
        var from = text[at].Value == ' ' ? at + 1 : at;
        foreach (var kind in (Predicate<Rune>[])[Letter, Digit, Sign])
        {
            if (While(text, from, kind) is var end && end > from)
                return end;
        }

        return Space(text, at, While(text, at, Rune.IsWhiteSpace));
    }

    /// <summary>A run of spaces leaves its last one to the word behind it.</summary>
    private static int Space(Rune[] text, int at, int end) => end == text.Length || end == at + 1 ? end : end - 1;

    private static int Contraction(Rune[] text, int at, bool ignoreCase)
    {
        if (text[at].Value != '\'')
            return -1;
        foreach (var ending in (string[])["s", "t", "re", "ve", "m", "ll", "d"])
        {
            var there = string.Concat(text.Skip(at + 1).Take(ending.Length));
            if ((ignoreCase ? there.ToLowerInvariant().Replace('ſ', 's') : there) == ending)
                return at + 1 + ending.Length;
        }

        return -1;
    }

    private static int While(Rune[] text, int at, Predicate<Rune> kind)
    {
        while (at < text.Length && kind(text[at]))
            at++;
        return at;
    }

    private static bool Letter(Rune rune) => Rune.GetUnicodeCategory(rune) <= UnicodeCategory.OtherLetter;

    private static bool Digit(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static bool Newline(Rune rune) => rune.Value is '\r' or '\n';

    private static bool Sign(Rune rune) => !Rune.IsWhiteSpace(rune) && !Letter(rune) && !Digit(rune);
}
