using System.Globalization;
using System.Text;
using Method = LookaheadKV.Jinja.Method<string>;

namespace LookaheadKV.Jinja;

/// <summary>The methods of strings.</summary>
internal static class TextMethods
{
    private static readonly Signature None = Signature.Empty;
    private static readonly Signature Chars = Signature.Positional("? chars");
    private static readonly Signature Part = Signature.Positional("sub ? start end");
    private static readonly Signature Ends = Signature.Positional("part ? start end");
    private static readonly Signature Cut = Signature.Of("? sep maxsplit");
    private static readonly Signature Width = Signature.Positional("width ? fillchar");
    private static readonly Signature One = Signature.Positional("text");

    public static Dictionary<string, Method> All { get; } =
        new()
        {
            ["strip"] = new(Chars, static (_, s, a) => TextFunctions.Strip(s, a.TextOrNone(0), true, true)),
            ["lstrip"] = new(Chars, static (_, s, a) => TextFunctions.Strip(s, a.TextOrNone(0), true, false)),
            ["rstrip"] = new(Chars, static (_, s, a) => TextFunctions.Strip(s, a.TextOrNone(0), false, true)),
            ["split"] = new(Cut, static (m, s, a) => Split(m, s, a, fromEnd: false)),
            ["rsplit"] = new(Cut, static (m, s, a) => Split(m, s, a, fromEnd: true)),
            ["splitlines"] = new(Signature.Of("? keepends"), static (m, s, a) => Texts(m, Blank.Lines(s, a.Flag(0)))),
            ["startswith"] = new(
                Ends,
                static (m, s, a) => HasEnd(m, s, a, static (text, part) => text.StartsWith(part, StringComparison.Ordinal))
            ),
            ["endswith"] = new(
                Ends,
                static (m, s, a) => HasEnd(m, s, a, static (text, part) => text.EndsWith(part, StringComparison.Ordinal))
            ),
            ["replace"] = new(
                Signature.Positional("old new ? count"),
                static (m, s, a) => TextFunctions.Replace(m, s, a.Text(0), a.Text(1), a.Integer(2, -1))
            ),
            ["join"] = new(One, static (m, s, a) => Join(m, s, a[0])),
            ["find"] = new(Part, static (m, s, a) => (System.Numerics.BigInteger)Find(m, s, a, last: false)),
            ["rfind"] = new(Part, static (m, s, a) => (System.Numerics.BigInteger)Find(m, s, a, last: true)),
            ["index"] = new(Part, static (m, s, a) => Found(Find(m, s, a, last: false))),
            ["rindex"] = new(Part, static (m, s, a) => Found(Find(m, s, a, last: true))),
            ["count"] = new(Part, static (m, s, a) => Count(m, s, a)),
            ["upper"] = new(None, static (m, s, _) => m.Made(Cases.Upper(s))),
            ["lower"] = new(None, static (m, s, _) => m.Made(Cases.Lower(s))),
            ["title"] = new(None, static (m, s, _) => m.Made(Cases.Title(s))),
            ["capitalize"] = new(None, static (m, s, _) => m.Made(Cases.Capitalize(s))),
            ["swapcase"] = new(None, static (m, s, _) => m.Made(Cases.Swap(s))),
            ["isdigit"] = new(None, static (_, s, _) => All_(s, static r => Rune.GetNumericValue(r) is >= 0 and <= 9 && IsDigit(r))),
            ["isdecimal"] = new(
                None,
                static (_, s, _) => All_(s, static r => Rune.GetUnicodeCategory(r) == UnicodeCategory.DecimalDigitNumber)
            ),
            ["isnumeric"] = new(None, static (_, s, _) => All_(s, static r => Rune.GetNumericValue(r) >= 0)),
            ["isalpha"] = new(None, static (_, s, _) => All_(s, Rune.IsLetter)),
            ["isalnum"] = new(None, static (_, s, _) => All_(s, static r => Rune.IsLetter(r) || Rune.GetNumericValue(r) >= 0)),
            ["isspace"] = new(None, static (_, s, _) => s.Length > 0 && Blank.IsBlank(s)),
            ["isascii"] = new(None, static (_, s, _) => s.All(char.IsAscii)),
            ["isprintable"] = new(None, static (_, s, _) => CodePoints.Of(s).All(Printing.IsPrintable)),
            ["isupper"] = new(None, static (_, s, _) => Cases.IsUpper(s)),
            ["islower"] = new(None, static (_, s, _) => Cases.IsLower(s)),
            ["istitle"] = new(None, static (_, s, _) => Cases.IsTitle(s)),
            ["partition"] = new(
                One,
                static (m, s, a) => Partition(m, s, a.Text(0), s.IndexOf(a.Text(0), StringComparison.Ordinal), fromEnd: false)
            ),
            ["rpartition"] = new(
                One,
                static (m, s, a) => Partition(m, s, a.Text(0), s.LastIndexOf(a.Text(0), StringComparison.Ordinal), fromEnd: true)
            ),
            ["removeprefix"] = new(One, static (_, s, a) => s.StartsWith(a.Text(0), StringComparison.Ordinal) ? s[a.Text(0).Length..] : s),
            ["removesuffix"] = new(One, static (_, s, a) => s.EndsWith(a.Text(0), StringComparison.Ordinal) ? s[..^a.Text(0).Length] : s),
            ["ljust"] = new(Width, static (m, s, a) => Padded(m, s, a, static _ => 0)),
            ["rjust"] = new(Width, static (m, s, a) => Padded(m, s, a, static room => room)),
            ["center"] = new(Width, static (m, s, a) => Padded(m, s, a, room => room / 2 + (room & a.Integer(0) & 1))),
            ["zfill"] = new(Signature.Positional("width"), static (m, s, a) => Zeros(m, s, a.Integer(0))),
            ["format"] = new(Signature.Any, static (m, s, a) => BraceFormat.Apply(m, s, a.All)),
        };

    private static ListValue Texts(Machine machine, IReadOnlyList<string> texts)
    {
        machine.Step(texts.Count);
        return new ListValue([.. texts]);
    }

    private static ListValue Split(Machine machine, string text, Bound a, bool fromEnd)
    {
        var (separator, count) = (a.TextOrNone(0), a.Integer(1, -1));
        machine.Made(machine.Read(text));
        if (separator is null)
            return Texts(machine, fromEnd ? Blank.WordsFromEnd(text, count) : Blank.Words(text, count));
        if (separator == "")
            throw new JinjaException("empty separator");
        if (!fromEnd)
            return Texts(machine, count < 0 ? text.Split(separator) : text.Split(separator, Math.Min(count, text.Length + 1) + 1));
        var parts = new List<string>();
        var end = text.Length;
        for (; count < 0 || parts.Count < count; )
        {
            var at = end < separator.Length ? -1 : text.LastIndexOf(separator, end - 1, StringComparison.Ordinal);
            if (at < 0)
                break;
            parts.Add(text[(at + separator.Length)..end]);
            end = at;
        }
        parts.Add(text[..end]);
        parts.Reverse();
        return Texts(machine, parts);
    }

    private static object HasEnd(Machine machine, string text, Bound a, Func<string, string, bool> has)
    {
        machine.Step();
        if (Window(text, a) is not { } window)
            return false;
        var part = window.From == 0 && window.To == text.Length ? text : text[window.From..window.To];
        return a[0] is TupleValue choices
            ? choices.Items.Any(choice => has(part, choice as string ?? throw new JinjaException($"{a.Function} takes strings")))
            : has(part, a.Text(0));
    }

    private static string Join(Machine machine, string separator, object? items)
    {
        var parts = new List<string>();
        foreach (var item in Iteration.Over(machine, items))
            parts.Add(
                item as string ?? throw new JinjaException($"join takes strings, not {Printing.TypeName(item)} (item {parts.Count})")
            );
        machine.Fits(parts.Sum(static part => (long)part.Length) + (long)separator.Length * parts.Count);
        return machine.Made(string.Join(separator, parts));
    }

    private static int Find(Machine machine, string text, Bound a, bool last)
    {
        var part = a.Text(0);
        machine.Read(text);
        if (Window(text, a) is not { } window)
            return -1;
        var within = text[window.From..window.To];
        var at = last ? within.LastIndexOf(part, StringComparison.Ordinal) : within.IndexOf(part, StringComparison.Ordinal);
        return at < 0 ? -1 : CodePoints.Number(text, window.From + at);
    }

    private static object Found(int place) =>
        place >= 0 ? (System.Numerics.BigInteger)place : throw new JinjaException("substring not found");

    private static object Count(Machine machine, string text, Bound a)
    {
        var part = a.Text(0);
        machine.Read(text);
        if (Window(text, a) is not { } window)
            return System.Numerics.BigInteger.Zero;
        var within = text[window.From..window.To];
        return (System.Numerics.BigInteger)(part == "" ? CodePoints.Count(within) + 1 : TextFunctions.Occurrences(within, part));
    }

    /// <summary>The stretch that the second and third argument name, in UTF-16 units; null where it starts behind its end.</summary>
    private static (int From, int To)? Window(string text, Bound a)
    {
        if (a.Or(1, null) is null && a.Or(2, null) is null)
            return (0, text.Length);
        var count = CodePoints.Count(text);
        var from = a.Or(1, null) is null ? 0 : Place(a.Integer(1));
        var to = a.Or(2, null) is null ? count : Math.Min(count, Place(a.Integer(2)));
        return from > to ? null : (CodePoints.Offset(text, from), CodePoints.Offset(text, to));

        int Place(int place) => place < 0 ? Math.Max(0, place + count) : place;
    }

    private static TupleValue Partition(Machine machine, string text, string separator, int at, bool fromEnd)
    {
        if (separator == "")
            throw new JinjaException("empty separator");
        machine.Made(machine.Read(text));
        return at >= 0 ? new TupleValue([text[..at], separator, text[(at + separator.Length)..]])
            : fromEnd ? new TupleValue(["", "", text])
            : new TupleValue([text, "", ""]);
    }

    private static string Padded(Machine machine, string text, Bound a, Func<int, int> before)
    {
        var fill = a.Text(1, " ");
        if (CodePoints.Count(fill) != 1)
            throw new JinjaException("the fill character must be exactly one character long");
        return TextFunctions.Padded(machine, text, a.Integer(0), fill, before);
    }

    private static string Zeros(Machine machine, string text, int width)
    {
        var padded = TextFunctions.Padded(machine, text, width, "0", static room => room);
        var zeros = padded.Length - text.Length;
        return zeros > 0 && text is ['+' or '-', ..] ? padded[zeros] + padded[..zeros] + text[1..] : padded;
    }

    private static bool All_(string text, Func<Rune, bool> holds) => text.Length > 0 && CodePoints.Runes(text).All(holds);

    // Decimal digits, superscripts and the like; not fractions and not the numerals of Chinese.
    private static bool IsDigit(Rune rune) =>
        Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber
        || (rune.IsBmp && CharUnicodeInfo.GetDigitValue((char)rune.Value) >= 0)
        || (!rune.IsBmp && CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0);
}
