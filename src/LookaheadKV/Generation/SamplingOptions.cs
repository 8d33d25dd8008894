using System.Globalization;

namespace LookaheadKV.Generation;

/// <summary>How the next token is drawn. The defaults are greedy: the most likely token.</summary>
public sealed record SamplingOptions
{
    /// <summary>Logits are divided by it, 0 or more; 0 takes the most likely token.</summary>
    public double Temperature { get; init; }

    /// <summary>Keeps the k most likely tokens (and those as likely as the k-th), 1 or more; null keeps all.</summary>
    public int? TopK { get; init; }

    /// <summary>Keeps the fewest most likely tokens that together reach this probability, above 0 and at most 1; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Keeps the tokens that are at least this fraction as likely as the most likely one, 0 to 1; 0 keeps all.</summary>
    public double MinP { get; init; }

    /// <summary>The same seed gives the same tokens where the logits are the same.</summary>
    public long Seed { get; init; }

    /// <summary>Greedy decoding.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="InputException">A value is out of its range.</exception>
    public SamplingOptions Checked()
    {
        Refuse(double.IsFinite(Temperature) && Temperature >= 0, "temperature", Temperature, "0 (greedy) or more");
        Refuse(TopK is null or >= 1, "top-k", TopK ?? 0, "a whole number of 1 or more");
        Refuse(TopP is > 0 and <= 1, "top-p", TopP, "above 0 and at most 1");
        Refuse(MinP is >= 0 and <= 1, "min-p", MinP, "from 0 to 1");
        return this;
    }

    private static void Refuse(bool inRange, string name, double value, string range)
    {
        if (!inRange)
            throw new InputException($"{name} {value.ToString(CultureInfo.InvariantCulture)} is out of range; give {range}.");
    }
}
