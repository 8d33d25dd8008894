using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>An endless sequence of pieces of text that are drawn as they are needed; a longer stretch begins with every shorter one.</summary>
internal sealed class Haystack(Func<int, string> draw)
{
    // Five sentences over and over.
    private static readonly string[] Noise =
    [
        "The kettle is warm.",
        "The road is long.",
        "The lamp is lit.",
        "We walk to the bridge.",
        "Then we turn around.",
    ];

    private readonly List<string> _units = [];

    /// <summary>A few dull sentences over and over.</summary>
    public static Haystack Repeated() => new(static i => Noise[i % Noise.Length]);

    /// <summary>Sentences of essays from a random one on; where there are none, generated ones about weather, work and landscape.</summary>
    public static Haystack Essay(RandomStream random, Essays? essays)
    {
        if (essays is null)
            return new(_ => Filler.Draw(random)[1..] + ".");
        var (sentences, start) = (essays.Sentences, random.Below(essays.Sentences.Count));
        return new(i => sentences[(start + i) % sentences.Count]);
    }

    /// <summary>The first units with needles between them.</summary>
    /// <param name="count">How many units.</param>
    /// <param name="separator">What stands between two units or needles.</param>
    /// <param name="needles">The needles by rising depth, 0 (before everything) to just below 1 (after everything).</param>
    public string Weave(int count, string separator, IEnumerable<(double Depth, string Text)> needles)
    {
        while (_units.Count < count)
            _units.Add(draw(_units.Count));
        var (pieces, from) = (new List<string>(), 0);
        foreach (var (depth, text) in needles)
        {
            var to = (int)(depth * (count + 1));
            pieces.AddRange(_units[from..to]);
            pieces.Add(text);
            from = to;
        }
        pieces.AddRange(_units[from..count]);
        return string.Join(separator, pieces);
    }
}
