namespace LookaheadKV.Generation;

/// <summary>
/// Cuts a text that comes in pieces at the first stop string to be complete (of two that end together, the longer), wherever the pieces
/// begin and end. Text that may be the start of a stop string is held back until that is settled. Control tokens are looked at too, each as
/// a whole, but never returned.
/// </summary>
public sealed class StopStrings
{
    private readonly string[] stops;
    private readonly List<Unit> held = [];

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
    public string Add(string piece) => Add(piece.Select(static value => new Unit(value, Shown: true, Starts: true, Ends: true)));

    /// <summary>The same, where a control token has come.</summary>
    /// <param name="token">Its text.</param>
    public string AddControl(string token) =>
        Add(token.Select((value, at) => new Unit(value, Shown: false, Starts: at == 0, Ends: at == token.Length - 1)));

    /// <summary>The text that was held back, when no more comes.</summary>
    public string Finish() => Stopped ? "" : Release(held.Count);

    private string Add(IEnumerable<Unit> units)
    {
        if (Stopped)
            return "";
        foreach (var unit in units)
        {
            held.Add(unit);
            var whole = stops.Where(stop => unit.Ends && EndsWith(stop, stop.Length)).MaxBy(stop => stop.Length);
            if (whole is null)
                continue;
            Stopped = true;
            return Release(held.Count - whole.Length);
        }

        var open = stops
            .Select(stop => Enumerable.Range(1, stop.Length - 1).LastOrDefault(length => EndsWith(stop, length)))
            .DefaultIfEmpty()
            .Max();
        return Release(held.Count - open);
    }

    /// <summary>Whether the text held ends with the first <paramref name="length"/> units of a stop string.</summary>
    private bool EndsWith(string stop, int length)
    {
        var start = held.Count - length;
        if (start < 0 || !held[start].Starts)
            return false;
        for (var i = 0; i < length; i++)
        {
            if (held[start + i].Value != stop[i])
                return false;
        }

        return true;
    }

    private string Release(int count)
    {
        var text = string.Concat(held.Take(count).Where(unit => unit.Shown).Select(unit => unit.Value));
        held.RemoveRange(0, Stopped ? held.Count : count);
        return text;
    }

    /// <summary>A UTF-16 unit of the text; a stop string may start or end at it unless it is inside a control token.</summary>
    private readonly record struct Unit(char Value, bool Shown, bool Starts, bool Ends);
}
