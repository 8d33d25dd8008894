using System.Globalization;

namespace LookaheadKV.Generation;

/// <summary>How the next token is drawn. The defaults are greedy: the most likely token. A value out of its range is refused where it is set.</summary>
public sealed record SamplingOptions
{
    /// <summary>Logits are divided by it, 0 or more; 0 takes the most likely token.</summary>
    public double Temperature
    {
        get;
        init => field = InRange(double.IsFinite(value) && value >= 0, "temperature", value, "0 (greedy) or more");
    }

    /// <summary>Keeps the k most likely tokens (and those as likely as the k-th), 1 or more; null keeps all.</summary>
    public int? TopK
    {
        get;
        init => field = InRange(value is null or >= 1, "top-k", value, "a whole number of 1 or more");
    }

    /// <summary>Keeps the fewest most likely tokens that together reach this probability, above 0 and at most 1; 1 keeps all.</summary>
    public double TopP
    {
        get;
        init => field = InRange(value is > 0 and <= 1, "top-p", value, "above 0 and at most 1");
    } = 1;

    /// <summary>Keeps the tokens that are at least this fraction as likely as the most likely one, 0 to 1; 0 keeps all.</summary>
    public double MinP
    {
        get;
        init => field = InRange(value is >= 0 and <= 1, "min-p", value, "from 0 to 1");
    }

    /// <summary>
    /// Before all else, a logit of a token that stands in the prompt or the answer is divided by it where it is positive and multiplied where it
    /// is not (arXiv 1909.05858, as in transformers). Above 0; 1 leaves the logits as they are, and it works on greedy decoding too.
    /// </summary>
    public double RepetitionPenalty
    {
        get;
        init => field = InRange(double.IsFinite(value) && value > 0, "repetition penalty", value, "a number above 0");
    } = 1;

    /// <summary>The same seed gives the same tokens where the logits are the same.</summary>
    public long Seed { get; init; }

    /// <summary>Greedy decoding.</summary>
    public static SamplingOptions Greedy { get; } = new();

    private static T InRange<T>(bool holds, string name, T value, string range) =>
        holds
            ? value
            : throw new InputException(string.Create(CultureInfo.InvariantCulture, $"{name} {value} is out of range; give {range}."));
}
