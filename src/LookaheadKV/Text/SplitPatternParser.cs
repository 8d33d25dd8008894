using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>A stretch of a .NET regular expression, or a set of code points that stands there.</summary>
internal readonly record struct PatternPart(string Text, CodePoints? Set = null);

/// <summary>
/// Reads a regular expression as the Rust library's engine (Oniguruma) means it, and says it in .NET's words, with its sets of code points
/// still to be written:
/// <code>
/// pattern    = [ "(?" flags ")" ] branch *( "|" branch )
/// branch     = *( atom *quantifier )
/// atom       = character | "." | "^" | "$" | escape | class | "(" [ "?:" | "?=" | "?!" | "?&lt;=" | "?&lt;!" | "?&gt;" | "?" flags ":" ] pattern ")"
/// quantifier = ( "*" | "+" | "?" ) [ "?" | "+" ] | ( "{n}" | "{n,}" | "{,m}" | "{n,m}" ) [ "?" ]
/// class      = "[" [ "^" ] *( item [ "-" item ] | class | "[:" [ "^" ] name ":]" ) *( "&amp;&amp;" … ) "]"
/// escape     = "\" ( d | D | w | W | s | S | h | H | b | B | A | z | Z | "p{" [ "^" ] name "}" | n | t | r | f | v | a | e | "xHH" | "x{H…}" | "uHHHH" | sign )
/// flags      = *( "i" | "m" ) [ "-" *( "i" | "m" ) ]     i: case is ignored; m: "." takes line ends too
/// </code>
/// Everything else is refused by name.
/// </summary>
internal sealed class SplitPatternParser
{
    private const int LastCodePoint = 0x10FFFF;

    // Two letters that case folding makes one of ("ß", "ﬁ"): where case is ignored, either would have to match the other.
    private static readonly string[] Ligatures = ["ss", "ff", "fi", "fl", "st"];

    private readonly string pattern;
    private readonly List<PatternPart> parts = [];
    private readonly SortedSet<int> boundaries = [];
    private int at;
    private bool ignoreCase;
    private bool dotTakesAll;

    private SplitPatternParser(string pattern) => this.pattern = pattern;

    /// <summary>The parts of a pattern, and where above U+FFFF its own ranges begin and end.</summary>
    /// <exception cref="FormatException">It asks for something that is not done here, or is no regular expression.</exception>
    public static (IReadOnlyList<PatternPart> Parts, IReadOnlyCollection<int> Boundaries) Parse(string pattern)
    {
        var parser = new SplitPatternParser(pattern);
        parser.Branches();
        if (!parser.AtEnd)
            throw parser.Refused("a ) without its (");
        return (parser.parts, parser.boundaries);
    }

    private bool AtEnd => at >= pattern.Length;

    private void Branches()
    {
        var flags = (ignoreCase, dotTakesAll);
        if (Matched(@"\(\?([im-]+)\)") is { } isolated)
            SetFlags(isolated.Groups[1].Value);
        while (!AtEnd && pattern[at] != ')')
        {
            if (Took("|"))
                Write("|");
            else
                Quantified();
        }

        (ignoreCase, dotTakesAll) = flags;
    }

    private void Quantified()
    {
        var start = parts.Count;
        Atom();
        for (var first = true; Quantifier() is { } quantifier; first = false)
        {
            if (!first)
                Wrap(start, "(?:");
            Write(quantifier);
            var exact = quantifier[^1] == '}' && !quantifier.Contains(','); // "{2}?" is an optional {2}, not a lazy one
            if (!exact && Took("?"))
                Write("?");
            else if (quantifier.Length == 1 && Took("+"))
                Wrap(start, "(?>");
        }
    }

    private string? Quantifier()
    {
        if (AtEnd)
            return null;
        if (pattern[at] is '*' or '+' or '?')
            return pattern[at++].ToString();
        if (Matched(@"\{(\d*)(,?)(\d*)\}", text => text.Any(char.IsAsciiDigit)) is not { } interval)
            return null;
        var least = interval.Groups[1].Value;
        return $"{{{(least.Length > 0 ? least : "0")}{interval.Groups[2].Value}{interval.Groups[3].Value}}}";
    }

    private void Atom()
    {
        switch (pattern[at])
        {
            case '(':
                Group();
                break;
            case '[':
                Write(Class());
                break;
            case '.':
                at++;
                Write(dotTakesAll ? CodePoints.None.Not() : CodePoints.Range('\n', '\n').Not());
                break;
            case '^':
                at++;
                Write(@"(?:\A|(?<=\n)(?!\z))");
                break;
            case '$':
                at++;
                Write(@"(?=\n|\z)");
                break;
            case '*' or '+' or '?':
                throw Refused($"{pattern[at]} with nothing before it");
            case '\\':
                Escape();
                break;
            default:
                Literal(Character());
                break;
        }
    }

    private void Group()
    {
        var kind = Matched(@"\((?:\?(?:[:=!>]|<[=!]|([im-]+):))?(?!\?)") ?? throw Refused($"the group {Shown(4)}");
        var flags = (ignoreCase, dotTakesAll);
        if (kind.Groups[1].Success)
            SetFlags(kind.Groups[1].Value);
        Write(kind.Groups[1].Success || kind.Length == 1 ? "(?:" : kind.Value);
        Branches();
        (ignoreCase, dotTakesAll) = flags;
        if (!Took(")"))
            throw Refused("a ( without its )");
        Write(")");
    }

    private void SetFlags(string flags)
    {
        var on = true;
        foreach (var flag in flags)
        {
            if (flag == '-')
                on = false;
            else if (flag == 'i')
                ignoreCase = on;
            else
                dotTakesAll = on;
        }
    }

    private void Escape()
    {
        if (Took(@"\A"))
            Write(@"\A");
        else if (Took(@"\z"))
            Write(@"\z");
        else if (Took(@"\Z"))
            Write(@"\Z");
        else if (Took(@"\b"))
            WordEdge("(?<=", "(?!", "(?<!", "(?=");
        else if (Took(@"\B"))
            WordEdge("(?<=", "(?=", "(?<!", "(?!");
        else if (NamedSet(CodePoints.BareWords) is { } set)
            Write(set);
        else
            Literal(EscapedCharacter());
    }

    private void WordEdge(string wordBefore, string next, string noWordBefore, string otherNext)
    {
        foreach (var (lead, look) in ((string, string)[])[("(?:", wordBefore), (")", next), (")|", noWordBefore), (")", otherNext)])
        {
            Write(lead + look);
            Write(CodePoints.BareWords);
        }

        Write("))");
    }

    private void Literal(int point)
    {
        if (ignoreCase && (Ligatures.Any(StartsHere) || point is 0xDF or 0x1E9E or (>= 0xFB00 and <= 0xFB06)))
            throw Refused("a letter that is two where case is ignored");
        var same = ignoreCase ? CodePoints.SameButForCase(point) : [point];
        if (same.Any(static other => other > 0xFFFF))
            Write(same.Aggregate(CodePoints.None, (union, other) => union.Or(Bounded(other, other))));
        else if (same.Count > 1)
            Write($"[{string.Concat(same.Select(other => (char)other))}]"); // letters: nothing to escape
        else
            Write(Regex.Escape(((char)point).ToString()));

        bool StartsHere(string ligature) => string.Compare(pattern, at - 1, ligature, 0, 2, StringComparison.OrdinalIgnoreCase) == 0;
    }

    // ---- sets ----

    private CodePoints Class()
    {
        at++; // [
        var negated = Took("^");
        var whole = Operand(first: true);
        while (Took("&&"))
            whole = whole.And(Operand(first: false));
        if (!Took("]"))
            throw Refused("a [ without its ]");
        if (ignoreCase)
            whole = whole.IgnoringCase();
        return negated ? whole.Not() : whole;
    }

    private CodePoints Operand(bool first)
    {
        var union = CodePoints.None;
        for (; !AtEnd && (pattern[at] != ']' || first) && !StartsWith("&&"); first = false)
        {
            if (Matched(@"\[:(\^?)(\w+):\]") is { } posix)
                union = union.Or(Property(posix.Groups[2].Value, posix.Groups[1].Length > 0, CodePoints.Words));
            else
                union = union.Or(
                    pattern[at] == '[' ? Class()
                    : pattern[at] == '\\' && NamedSet(CodePoints.Words) is { } set ? set
                    : Range()
                );
        }

        return union;
    }

    private CodePoints Range()
    {
        var first = Member();
        if (!StartsWith("-") || at + 1 >= pattern.Length || pattern[at + 1] is ']' or '[')
            return Bounded(first, first);
        at++;
        var last = Member();
        return last >= first ? Bounded(first, last) : throw Refused("a range that runs backwards");
    }

    private int Member() => pattern[at] == '\\' ? EscapedCharacter() : Character();

    private CodePoints Bounded(int first, int last)
    {
        boundaries.UnionWith([first, last + 1]);
        if (ignoreCase && last > 0xFFFF) // few have cases
            boundaries.UnionWith(
                Enumerable
                    .Range(first, last - first + 1)
                    .SelectMany(CodePoints.SameButForCase)
                    .SelectMany(point => (int[])[point, point + 1])
            );
        return CodePoints.Range(first, last);
    }

    /// <summary>The set that an escape names; null, and nothing taken, where it names a character.</summary>
    private CodePoints? NamedSet(CodePoints words)
    {
        if (Matched(@"\\([pP])\{(\^?)([^}]*)\}") is { } property)
            return Property(property.Groups[3].Value, (property.Groups[1].Value == "P") != property.Groups[2].Length > 0, words);
        if (Matched(@"\\([dDwWsShH])") is not { } named)
            return null;
        var letter = named.Groups[1].Value[0];
        var set = char.ToLowerInvariant(letter) switch
        {
            'd' => CodePoints.Digits,
            'w' => words,
            's' => CodePoints.Spaces,
            _ => CodePoints.HexDigits,
        };
        return char.IsUpper(letter) ? set.Not() : set;
    }

    private CodePoints Property(string name, bool negated, CodePoints words)
    {
        var set = CodePoints.Property(name) ?? throw Refused($"the property {Quoting.Quote(name)}");
        set = set == CodePoints.Words ? words : set;
        return negated ? set.Not() : set;
    }

    // ---- characters ----

    private int Character()
    {
        Rune.DecodeFromUtf16(pattern.AsSpan(at), out var rune, out var length);
        at += length;
        return rune.Value;
    }

    private int EscapedCharacter()
    {
        if (Matched(@"\\(?:x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4}))") is { } hex)
        {
            var digits = string.Concat(hex.Groups.Values.Skip(1).Select(group => group.Value));
            var point = long.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            return point <= LastCodePoint && Rune.IsValid((int)point) ? (int)point : throw Refused($"the character {hex.Value}");
        }

        if (at + 1 >= pattern.Length)
            throw Refused("a \\ at its end");
        var named = "ntrfvae".IndexOf(pattern[at + 1]);
        if (named < 0 && char.IsAsciiLetterOrDigit(pattern[at + 1]))
            throw Refused($"the escape {Shown(2)}");
        at++;
        var literal = Character();
        return named < 0 ? literal : "\n\t\r\f\v\a\u001b"[named];
    }

    // ---- reading and writing ----

    private bool StartsWith(string text) => string.CompareOrdinal(pattern, at, text, 0, text.Length) == 0;

    private bool Took(string text)
    {
        var here = StartsWith(text);
        at += here ? text.Length : 0;
        return here;
    }

    /// <summary>What stands here, if it has this form; it is then taken.</summary>
    private Match? Matched(string form, Predicate<string>? holds = null)
    {
        var match = new Regex($@"\G(?:{form})", RegexOptions.CultureInvariant).Match(pattern, at);
        if (!match.Success || holds?.Invoke(match.Value) == false)
            return null;
        at += match.Length;
        return match;
    }

    private void Write(string text) => parts.Add(new PatternPart(text));

    private void Write(CodePoints set) => parts.Add(new PatternPart("", set));

    private void Wrap(int start, string open)
    {
        parts.Insert(start, new PatternPart(open));
        Write(")");
    }

    private string Shown(int length) => Quoting.Quote(pattern[at..Math.Min(at + length, pattern.Length)]);

    private FormatException Refused(string what) => new($"{what}, at {at}");
}
