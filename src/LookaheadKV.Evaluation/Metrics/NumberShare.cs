using System.Text.RegularExpressions;
using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// LongBench's scores of answers that are a number: the share of the numbers in the prediction that are the right one, as they are written
/// ("07" is not "7"). 0 where the prediction has no number.
/// </summary>
public static partial class NumberShare
{
    /// <summary>Score of a count; the answer is the number itself.</summary>
    public static double Count(string prediction, string answer) => Share(prediction, answer);

    /// <summary>Score of a retrieval; the answer is the name of a paragraph, "Paragraph 12".</summary>
    /// <exception cref="InputException">The answer does not name a paragraph.</exception>
    public static double Retrieval(string prediction, string answer) =>
        Paragraph().Match(answer) is { Success: true } match
            ? Share(prediction, match.Groups[1].Value)
            : throw new InputException(
                $"the answer {Quoting.Quote(answer)} names no paragraph: it must contain \"Paragraph\" and a number."
            );

    /// <summary>Whether an answer can be that of a retrieval.</summary>
    internal static bool NamesParagraph(string answer) => Paragraph().IsMatch(answer);

    private static double Share(string prediction, string number)
    {
        var numbers = Digits().Matches(prediction);
        return numbers.Count == 0 ? 0 : (double)numbers.Count(match => match.Value == number) / numbers.Count;
    }

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"Paragraph (\d+)")]
    private static partial Regex Paragraph();
}
