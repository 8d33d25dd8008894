namespace LookaheadKV.Evaluation;

/// <summary>Percentile bootstrap intervals (Efron, 1979): how far a mean would move if other prompts had been drawn.</summary>
public static class Bootstrap
{
    private const int Resamples = 2000;

    /// <summary>95 % interval of the mean of groups' means; prompts are drawn anew within each group (task).</summary>
    /// <param name="groups">Values by group, none empty.</param>
    /// <param name="seed">Seed of the draws.</param>
    public static (double Low, double High) Interval(IReadOnlyList<IReadOnlyList<double>> groups, long seed = 0)
    {
        var random = new Random(unchecked((int)(seed * 7919 + 17)));
        var means = new double[Resamples];
        for (var r = 0; r < Resamples; r++)
            means[r] = groups.Average(Resampled);
        Array.Sort(means);
        // Outwards to the next of the resampled means on both sides: no rule of quantiles between them (R-1 to R-9, of MathNet) is that wide.
        return (means[(int)(0.025 * (Resamples - 1))], means[(int)Math.Ceiling(0.975 * (Resamples - 1))]);

        double Resampled(IReadOnlyList<double> values)
        {
            var sum = 0.0;
            for (var i = 0; i < values.Count; i++)
                sum += values[random.Next(values.Count)];
            return sum / values.Count;
        }
    }
}
