using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>What methods and filters of strings share.</summary>
internal static class TextFunctions
{
    /// <summary>Without white space, or any of <paramref name="characters"/>, at its ends.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        if (characters is null)
        {
            text = start ? Blank.StripStart(text) : text;
            return end ? Blank.StripEnd(text) : text;
        }
        var set = CodePoints.Of(characters).ToHashSet();
        var points = CodePoints.Of(text).ToList();
        var (from, to) = (0, points.Count);
        while (start && from < to && set.Contains(points[from]))
            from++;
        while (end && to > from && set.Contains(points[to - 1]))
            to--;
        return string.Concat(points[from..to]);
    }

    /// <summary>With the first <paramref name="count"/> occurrences replaced; all if that is below 0.</summary>
    public static string Replace(Machine machine, string text, string old, string replacement, int count)
    {
        machine.Read(text);
        if (count == 0)
            return text;
        if (old == "")
        {
            // Between all code points, before the first and behind the last.
            var points = CodePoints.Of(text).ToList();
            var places = count < 0 ? points.Count + 1 : Math.Min(count, points.Count + 1);
            machine.Fits(text.Length + (BigInteger)places * replacement.Length);
            return machine.Made(string.Concat(points.Append("").Select((point, i) => i < places ? replacement + point : point)));
        }
        var found = Occurrences(text, old);
        if (found == 0)
            return text;
        machine.Fits(text.Length + (BigInteger)found * replacement.Length);
        return machine.Made(
            count < 0 || count >= found
                ? text.Replace(old, replacement, StringComparison.Ordinal)
                : string.Join(replacement, text.Split(old, count + 1))
        );
    }

    /// <summary>How often a part that is not empty occurs, without overlaps.</summary>
    public static int Occurrences(string text, string part)
    {
        var count = 0;
        for (
            var at = text.IndexOf(part, StringComparison.Ordinal);
            at >= 0;
            at = text.IndexOf(part, at + part.Length, StringComparison.Ordinal)
        )
            count++;
        return count;
    }

    /// <summary>The text at least <paramref name="width"/> code points long, <paramref name="before"/> of the room for filling in front of it.</summary>
    public static string Padded(Machine machine, string text, int width, string fill, Func<int, int> before)
    {
        var room = width - CodePoints.Count(text);
        if (room <= 0)
            return text;
        machine.Fits((BigInteger)room * fill.Length);
        var left = before(room);
        return machine.Made(string.Concat(Enumerable.Repeat(fill, left)) + text + string.Concat(Enumerable.Repeat(fill, room - left)));
    }
}
