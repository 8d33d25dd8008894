namespace LookaheadKV.Evaluation.Metrics;

/// <summary>
/// ROUGE-L (Lin, 2004): how much of a summary's wording comes back in order. F is the harmonic mean of precision and recall. Words are what
/// stands between white space, case and punctuation included.
/// </summary>
public static class RougeL
{
    /// <summary>
    /// ROUGE-L of two texts taken as one sentence each: precision and recall are the length of the longest common subsequence over the words
    /// of the prediction and of the answer.
    /// </summary>
    /// <returns>0..1; 0 where either text has no word.</returns>
    public static double Sentence(string prediction, string answer)
    {
        var (p, a) = (Words(prediction), Words(answer));
        return p.Length + a.Length == 0 ? 0 : 2.0 * Subsequence(a, p).Count / (p.Length + a.Length);
    }

    /// <summary>
    /// ROUGE-L as LongBench's numbers have it: the summary-level form over <b>sets</b> of words. Sentences end at every period. The words that
    /// a longest common subsequence of any sentence of the answer with any sentence of the prediction has form the set U; recall is
    /// |U| over the answer's different words, precision |U| over the prediction's.
    /// </summary>
    /// <remarks>
    /// Repeated words count once, and a blank sentence ("… end. ") counts as one empty word: so does the Python package (rouge 1.0.1) that the
    /// published scores are made with. Where several subsequences are longest, the one is taken that prefers the prediction's earlier words.
    /// </remarks>
    /// <returns>0..1; 0 where either text is empty or periods only.</returns>
    public static double Summary(string prediction, string answer)
    {
        var (p, a) = (Sentences(prediction), Sentences(answer));
        if (p.Length == 0 || a.Length == 0)
            return 0;
        var union = new HashSet<string>();
        foreach (var sentence in a)
        foreach (var other in p)
            union.UnionWith(Subsequence(sentence, other));
        return 2.0 * union.Count / (Different(p) + Different(a));

        static int Different(string[][] sentences) => sentences.SelectMany(static words => words).Distinct().Count();
    }

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string[][] Sentences(string text) =>
        [.. text.Split('.').Where(static part => part != "").Select(static part => Words(part) is { Length: > 0 } words ? words : [""])];

    /// <summary>A longest common subsequence of two lists of words.</summary>
    internal static List<string> Subsequence(string[] a, string[] b)
    {
        // length[i, j]: of the first i words of a and the first j of b.
        var length = new int[a.Length + 1, b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
        for (var j = 1; j <= b.Length; j++)
            length[i, j] = a[i - 1] == b[j - 1] ? length[i - 1, j - 1] + 1 : Math.Max(length[i - 1, j], length[i, j - 1]);

        var common = new List<string>();
        for (var (i, j) = (a.Length, b.Length); i > 0 && j > 0; )
            if (a[i - 1] == b[j - 1])
            {
                common.Add(a[i - 1]);
                (i, j) = (i - 1, j - 1);
            }
            else if (length[i - 1, j] > length[i, j - 1])
                i--;
            else
                j--;
        common.Reverse();
        return common;
    }
}
