namespace LookaheadKV.Evaluation;

/// <summary>How near an evicted cache stays to the full one while the full cache's own answer is read: means over the tokens behind the eviction.</summary>
/// <param name="Divergence">KL(p_full ‖ p_evicted) of the next token, in nats, 0 or more.</param>
/// <param name="EqualArgmax">Share of tokens at which both find the same next token most likely.</param>
/// <param name="LostLogLikelihood">How much less likely the token is that the full cache would have taken: <c>log p_full − log p_evicted</c>, in nats.</param>
/// <param name="KeptAttention">Share of the attention that the answer pays to the prompt, on the full cache, that falls on entries kept; mean over layers and query heads.</param>
/// <param name="Tokens">Tokens behind the means.</param>
public sealed record FidelityScores(double Divergence, double EqualArgmax, double LostLogLikelihood, double KeptAttention, int Tokens)
{
    /// <summary>The mean over prompts, then over groups of them (tasks): every prompt counts the same within its group, however long its answer.</summary>
    /// <param name="groups">Scores by group; what was not measured is left out.</param>
    /// <returns>Null where nothing was measured; <see cref="Tokens"/> is the sum.</returns>
    public static FidelityScores? Mean(IEnumerable<IEnumerable<FidelityScores?>> groups)
    {
        FidelityScores[][] measured =
        [
            .. groups.Select(group => group.OfType<FidelityScores>().ToArray()).Where(group => group.Length > 0),
        ];
        return measured.Length == 0
            ? null
            : new(
                Over(scores => scores.Divergence),
                Over(scores => scores.EqualArgmax),
                Over(scores => scores.LostLogLikelihood),
                Over(scores => scores.KeptAttention),
                measured.Sum(group => group.Sum(scores => scores.Tokens))
            );

        double Over(Func<FidelityScores, double> value) => measured.Average(group => group.Average(value));
    }
}
