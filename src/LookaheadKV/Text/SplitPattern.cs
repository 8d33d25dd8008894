using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>
/// A regular expression that sees code points, as the patterns of tokenizer.json are meant. .NET's Regex (and with it the package's
/// RegexPreTokenizer) sees UTF-16 units, so a character beyond U+FFFF would be two strangers to every class. Here each of these characters
/// is matched as a single unit that stands for all those which no set of the pattern tells apart. The units are those of surrogates, which
/// a well-formed text has no other use for.
/// </summary>
internal sealed class SplitPattern
{
    private const int StandIns = 0xD800;
    private const int MostStandIns = 0x800;

    // Patterns come from strangers, and some need a time that grows with every character.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private static readonly ConcurrentDictionary<string, SplitPattern> Known = [];

    private readonly string pattern;
    private readonly Regex regex;
    private readonly int[] starts; // of runs of code points above U+FFFF that no set tells apart
    private readonly char[] standIns; // one for each run

    private SplitPattern(string pattern)
    {
        this.pattern = pattern;
        var (parts, own) = SplitPatternParser.Parse(pattern);
        var sets = parts.Where(part => part.Set is not null).Select(part => part.Set!).Distinct().ToArray();
        starts = [.. CodePoints.Boundaries.Concat(own.Where(static point => point > 0xFFFF)).Distinct().Order()];
        var kinds = new Dictionary<string, char>();
        standIns = new char[starts.Length];
        foreach (var (run, start) in starts.Index())
        {
            var members = string.Concat(sets.Select(set => set.Contains(start) ? '1' : '0'));
            if (!kinds.TryGetValue(members, out standIns[run]))
                kinds[members] = standIns[run] = (char)(StandIns + Math.Min(kinds.Count, MostStandIns));
        }

        if (kinds.Count > MostStandIns)
            throw new FormatException("so many sets that it tells too many kinds of characters apart");
        var classes = sets.Index()
            .ToDictionary(entry => entry.Item, entry => Class(entry.Item, kinds.Where(kind => kind.Key[entry.Index] == '1')));
        regex = new Regex(
            string.Concat(parts.Select(part => part.Set is { } set ? classes[set] : part.Text)),
            RegexOptions.Compiled | RegexOptions.CultureInvariant,
            Longest
        );
    }

    /// <summary>The pattern ready to run; <paramref name="source"/> names where it came from in the error for one that cannot be.</summary>
    /// <exception cref="InputException">It is no regular expression, or asks for something that is not done here.</exception>
    public static SplitPattern Of(string pattern, string source)
    {
        try
        {
            return Known.GetOrAdd(pattern, static text => new SplitPattern(text));
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            throw new InputException(
                $"{source}: the split pattern {Quoting.Quote(pattern)} cannot be run here: {Quoting.OneLine(error.Message)}; "
                    + "use a tokenizer whose pattern needs only groups, quantifiers and classes of characters and categories.",
                error
            );
        }
    }

    /// <summary>
    /// What the pattern matches in a text, in order. Two matches never touch where one is empty. The text holds no lone surrogate.
    /// </summary>
    /// <exception cref="InputException">The pattern takes too long.</exception>
    public List<Range> Matches(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
            return MatchedUnits(text);
        var units = new char[text.Length];
        var places = new int[text.Length + 1]; // where each unit's code point starts in the text
        var count = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            units[count] = rune.IsBmp ? (char)rune.Value : StandIn(rune.Value);
            places[count + 1] = places[count++] + rune.Utf16SequenceLength;
        }

        return [.. MatchedUnits(units.AsSpan(0, count)).Select(match => places[match.Start.Value]..places[match.End.Value])];
    }

    /// <summary>A text in pieces without gaps: what the pattern matches, and what it leaves between matches; none is empty.</summary>
    public IEnumerable<Range> Pieces(ReadOnlySpan<char> text)
    {
        var pieces = new List<Range>();
        var end = 0;
        foreach (var match in Matches(text))
        {
            Add(match.Start.Value);
            Add(match.End.Value);
        }

        Add(text.Length);
        return pieces;

        void Add(int until)
        {
            if (until > end)
                pieces.Add(end..until);
            end = until;
        }
    }

    private List<Range> MatchedUnits(ReadOnlySpan<char> units)
    {
        var matches = new List<Range>(units.Length / 4 + 4);
        var end = -1;
        try
        {
            foreach (var match in regex.EnumerateMatches(units))
            {
                if (match.Length == 0 && match.Index == end)
                    continue;
                end = match.Index + match.Length;
                matches.Add(match.Index..end);
            }
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new InputException(
                $"the split pattern {Quoting.Quote(pattern)} finds no next match within {Longest.TotalSeconds} seconds in a text of {units.Length} "
                    + "characters; use a tokenizer whose pattern does not repeat what repeats already.",
                error
            );
        }

        return matches;
    }

    private char StandIn(int point)
    {
        var run = Array.BinarySearch(starts, point);
        return standIns[run >= 0 ? run : ~run - 1];
    }

    /// <summary>
    /// A set as a class of .NET: the categories that it holds whole up to U+FFFF, ranges of the others, and the units that stand for what it
    /// holds above.
    /// </summary>
    private static string Class(CodePoints set, IEnumerable<KeyValuePair<string, char>> standIns)
    {
        var text = new StringBuilder("[");
        foreach (var (category, points) in CodePoints.BasicPlane)
        {
            int[] members = [.. points.Where(point => set.Contains(point))];
            if (members.Length == points.Length)
                text.Append($@"\p{{{category}}}");
            else
                AddRanges(members);
        }

        foreach (var (_, unit) in standIns)
            text.Append(Unit(unit));
        return text.Length > 1 ? text.Append(']').ToString() : "(?!)";

        void AddRanges(int[] members)
        {
            for (var i = 0; i < members.Length; i++)
            {
                var first = members[i];
                while (i + 1 < members.Length && members[i + 1] == members[i] + 1)
                    i++;
                text.Append(Unit(first)).Append('-').Append(Unit(members[i]));
            }
        }

        static string Unit(int unit) => $@"\u{unit:X4}";
    }
}
