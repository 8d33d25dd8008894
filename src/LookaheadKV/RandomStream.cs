namespace LookaheadKV;

/// <summary>
/// A small random generator (SplitMix64) whose numbers are a pure function of what it was seeded with, on every platform and version.
/// </summary>
internal sealed class RandomStream
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private ulong _state;

    private RandomStream(ulong state) => _state = state;

    /// <summary>The stream named by a split, a purpose and some numbers (length, seed, index); any difference gives another stream.</summary>
    public static RandomStream For(Split split, string purpose, params ReadOnlySpan<long> keys)
    {
        var hash = Mix((ulong)split + Step);
        foreach (var letter in purpose)
            hash = Mix(hash ^ letter) + Step;
        foreach (var key in keys)
            hash = Mix(hash ^ Mix((ulong)key + Step)) + Step;
        return new RandomStream(hash);
    }

    /// <summary>A stream that will give the same numbers as this one.</summary>
    public RandomStream Copy() => new(_state);

    /// <summary>Uniform over 0..count-1.</summary>
    public int Below(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    /// <summary>Uniform over low..high, both included.</summary>
    public int Between(int low, int high) => low + Below(high - low + 1);

    /// <summary>Uniform over [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True with the given probability.</summary>
    public bool Chance(double probability) => Unit() < probability;

    /// <summary>One of the values.</summary>
    public T Pick<T>(IReadOnlyList<T> values) => values[Below(values.Count)];

    /// <summary>Index i with a probability proportional to weight i.</summary>
    public int PickWeighted(ReadOnlySpan<double> weights)
    {
        var total = 0.0;
        foreach (var weight in weights)
            total += weight;
        var at = Unit() * total;
        var last = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] <= 0)
                continue;
            if (at < weights[i])
                return i;
            at -= weights[i];
            last = i;
        }
        return last;
    }

    /// <summary>Puts the values into a uniformly random order, in place.</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (var i = values.Length - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    private ulong Next() => Mix(_state += Step);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
