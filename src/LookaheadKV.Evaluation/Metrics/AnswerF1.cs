namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// F1 of an answer's words (SQuAD): with <c>c</c> words in common, counted as often as both have them, <c>2c / (words + words)</c>.
/// </summary>
public static class AnswerF1
{
    /// <summary>0..1; 0 where either text has no word left after normalisation.</summary>
    public static double Score(string prediction, string answer) => OfWords(AnswerText.Words(prediction), AnswerText.Words(answer));

    // With precision c/p and recall c/a, their harmonic mean is 2c/(p+a).
    private static double OfWords(string[] prediction, string[] answer)
    {
        var left = answer.CountBy(static word => word).ToDictionary();
        var common = 0;
        foreach (var word in prediction)
            if (left.GetValueOrDefault(word) > 0)
            {
                left[word]--;
                common++;
            }
        return common == 0 ? 0 : 2.0 * common / (prediction.Length + answer.Length);
    }
}
