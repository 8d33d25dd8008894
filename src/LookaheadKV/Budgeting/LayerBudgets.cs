namespace LookaheadKV.Budgeting;

/// <summary>Third step: how many entries each layer keeps a head. The parts add up to the whole exactly.</summary>
public static class LayerBudgets
{
    /// <summary>Divides a budget among layers.</summary>
    /// <param name="allocation">Uniform or pyramid; a global budget is not divided before scores are known.</param>
    /// <param name="entries">Entries a kv head keeps, summed over the layers: between layers · max(1, held) and layers · N.</param>
    /// <param name="layers">L.</param>
    /// <param name="length">N, the most that a layer can keep.</param>
    /// <param name="held">Entries that every layer keeps in any case; at least one, whatever is given.</param>
    /// <returns>Entries a head in each layer, first to last.</returns>
    public static long[] Divide(LayerAllocation allocation, long entries, int layers, long length, long held)
    {
        held = Math.Max(1, held); // a pyramid's top must not round to nothing
        if (entries < layers * held || entries > layers * length)
            throw new ArgumentOutOfRangeException(nameof(entries), entries, $"allowed: {layers * held}..{layers * length}");
        return allocation switch
        {
            LayerAllocation.Even => LargestRemainder(Enumerable.Repeat((double)entries / layers, layers), entries),
            LayerAllocation.Pyramid pyramid => LargestRemainder(
                Slope(pyramid.Beta, (double)entries / layers - held, layers, length - held).Select(q => q + held),
                entries
            ),
            _ => throw new ArgumentException($"a {allocation} budget is divided by scores, not by layers."),
        };
    }

    /// <summary>
    /// Whole numbers next to the quotas that add up to <paramref name="total"/>: each is rounded down, and what is missing goes one by one to the
    /// largest remainders, of equal ones to the first.
    /// </summary>
    /// <param name="quotas">Not negative; they add up to <paramref name="total"/>.</param>
    /// <param name="total">The sum of the result.</param>
    public static long[] LargestRemainder(IEnumerable<double> quotas, long total)
    {
        // A quota that is whole but for rounding errors must not be rounded down to the number below it.
        const double Noise = 1e-9;
        double[] exact = [.. quotas];
        long[] parts = [.. exact.Select(q => (long)Math.Floor(q + Noise))];
        var missing = total - parts.Sum();
        if (missing < 0 || missing > parts.Length)
            throw new ArgumentException($"quotas that add up to {exact.Sum()} cannot be rounded to {total}.");
        foreach (var i in Enumerable.Range(0, parts.Length).OrderByDescending(i => Math.Round(exact[i] - parts[i], 9)).Take((int)missing))
            parts[i]++;
        return parts;
    }

    // Linear in depth around the mean b, within 0..most.
    private static IEnumerable<double> Slope(double beta, double mean, int layers, double most)
    {
        var last = mean / beta;
        var first = 2 * mean - last;
        if (first > most)
            (first, last) = (most, 2 * mean - most);
        return Enumerable.Range(0, layers).Select(l => layers == 1 ? mean : first - (first - last) * l / (layers - 1));
    }
}
