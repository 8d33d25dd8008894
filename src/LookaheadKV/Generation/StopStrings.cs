using System.Text;

namespace LookaheadKV.Generation;

/// <summary>
/// Cuts a text that comes in pieces at the first stop string to be complete (of two that end together, the longer), wherever the pieces
/// begin and end. Text that may be the start of a stop string is held back until that is settled.
/// </summary>
public sealed class StopStrings
{
    private readonly string[] stops;
    private readonly StringBuilder held = new();

    /// <param name="stops">The stop strings, none of them empty; there may be none.</param>
    /// <exception cref="InputException">One is empty.</exception>
    public StopStrings(params IEnumerable<string> stops)
    {
        this.stops = [.. stops];
        if (this.stops.Contains(""))
            throw new InputException("a stop string is empty; give a text of one character or more.");
    }

    /// <summary>Whether a stop string has come; nothing is returned from then on.</summary>
    public bool Stopped { get; private set; }

    /// <summary>The text that is certain to stand before any stop string, once this piece has come.</summary>
    public string Add(string piece)
    {
        if (Stopped)
            return "";
        foreach (var unit in piece)
        {
            held.Append(unit);
            var whole = stops.Where(stop => EndsWith(stop, stop.Length)).MaxBy(stop => stop.Length);
            if (whole is null)
                continue;
            Stopped = true;
            held.Length -= whole.Length;
            return Release(held.Length);
        }

        var open = stops
            .Select(stop => Enumerable.Range(1, stop.Length - 1).LastOrDefault(length => EndsWith(stop, length)))
            .DefaultIfEmpty()
            .Max();
        return Release(held.Length - open);
    }

    /// <summary>The text that was held back, when no more comes.</summary>
    public string Finish() => Stopped ? "" : Release(held.Length);

    /// <summary>Whether the text held ends with the first <paramref name="length"/> units of a stop string.</summary>
    private bool EndsWith(string stop, int length)
    {
        var start = held.Length - length;
        if (start < 0)
            return false;
        for (var i = 0; i < length; i++)
        {
            if (held[start + i] != stop[i])
                return false;
        }

        return true;
    }

    private string Release(int count)
    {
        var text = held.ToString(0, count);
        held.Remove(0, Stopped ? held.Length : count);
        return text;
    }
}
