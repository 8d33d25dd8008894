using System.Globalization;

namespace LookaheadKV.Evaluation;

/// <summary>How two policies differ on the same prompts: the mean of the differences, and how far it would move if other prompts had been drawn.</summary>
/// <param name="Mean">Mean of value − baseline over the prompts.</param>
/// <param name="Low">Lower end of its 95 % bootstrap interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Prompts">Prompts that both have a value of.</param>
public sealed record PairedDifference(double Mean, double Low, double High, int Prompts)
{
    // A percentile interval of fewer says little.
    private const int FewestPrompts = 10;

    /// <summary>Whether the sign is settled: the interval leaves out 0, and there are prompts enough for an interval to mean something.</summary>
    public bool IsSettled => Prompts >= FewestPrompts && (Low > 0 || High < 0);

    /// <summary>Of values on the same prompts.</summary>
    /// <param name="values">The policy's, a prompt each.</param>
    /// <param name="baseline">The baseline's, in the same order.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    /// <exception cref="ArgumentException">There is no prompt, or one has a value of one policy alone.</exception>
    public static PairedDifference Of(IReadOnlyList<double> values, IReadOnlyList<double> baseline, long seed = 0)
    {
        if (values.Count == 0 || values.Count != baseline.Count)
            throw new ArgumentException($"{values.Count} and {baseline.Count} values are no pairs; give both for every prompt.");
        double[] differences = [.. values.Zip(baseline, (value, other) => value - other)];
        var (low, high) = Bootstrap.Interval([differences], seed);
        return new(differences.Average(), low, high, differences.Length);
    }

    /// <summary>What it says, in a sentence.</summary>
    /// <param name="what">What was measured, such as "KL at 128".</param>
    /// <param name="policy">The policy's name.</param>
    /// <param name="baseline">The baseline's.</param>
    public string Sentence(string what, string policy, string baseline)
    {
        var prompts = Prompts == 1 ? "1 prompt" : $"{Prompts} prompts";
        return IsSettled
            ? $"{what}: {policy} is {(Mean < 0 ? "below" : "above")} {baseline}, by {this} over {prompts}."
            : $"{what}: whether {policy} is above or below {baseline} is not settled by {prompts}: {this}.";
    }

    /// <summary>The mean and its interval: <c>-0.110 (-0.112 to -0.107)</c>.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Mean:+0.000;-0.000;0.000} ({Low:+0.000;-0.000;0.000} to {High:+0.000;-0.000;0.000})"
        );
}
