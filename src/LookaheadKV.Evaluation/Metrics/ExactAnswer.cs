namespace LookaheadKV.Evaluation.Metrics;

/// <summary>Exact match of answers (SQuAD): 1 where the normalised texts are equal, else 0.</summary>
public static class ExactAnswer
{
    /// <summary>1 or 0; two texts of articles and punctuation alone are equal.</summary>
    public static double Score(string prediction, string answer) =>
        AnswerText.Normalize(prediction) == AnswerText.Normalize(answer) ? 1 : 0;
}
