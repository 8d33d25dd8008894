namespace LookaheadKV.Evaluation;

/// <summary>How near an evicted cache stays to the full one while the full cache's own answer is read: means over the tokens behind the eviction.</summary>
/// <param name="Divergence">KL(p_full ‖ p_evicted) of the next token, in nats, 0 or more.</param>
/// <param name="EqualArgmax">Share of tokens at which both find the same next token most likely.</param>
/// <param name="LostLogLikelihood">How much less likely the token is that the full cache would have taken: <c>log p_full − log p_evicted</c>, in nats.</param>
/// <param name="KeptAttention">Share of the attention that the answer pays to the prompt, on the full cache, that falls on entries kept; mean over layers and query heads.</param>
/// <param name="Tokens">Tokens behind the means.</param>
public sealed record FidelityScores(double Divergence, double EqualArgmax, double LostLogLikelihood, double KeptAttention, int Tokens);
