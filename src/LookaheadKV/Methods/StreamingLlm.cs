using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// StreamingLLM (Xiao et al., arXiv 2309.17453): the first tokens collect attention whatever they say, the last ones are local context.
/// <c>s[j] = j</c>; with the first 4 positions protected this keeps the first 4 and the last C-4.
/// </summary>
public sealed record StreamingLlm : IPromptScorer
{
    /// <summary>First tokens that it keeps.</summary>
    public const int DefaultSinks = 4;

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = "streaming", Protection = Protection.FirstTokens(DefaultSinks) })
        {
            Keeps = "the first 4 tokens and the last ones",
            Paper = new("Xiao et al.", 2023, "Efficient Streaming Language Models with Attention Sinks", "2309.17453"),
            FigurePlace = 4,
            Scorer = _ => new StreamingLlm(),
        };

    /// <summary>The policy with another number of first tokens, without a budget.</summary>
    public static EvictionPolicy Policy(int sinks = DefaultSinks) => Method.Policy().With(Protection.FirstTokens(sinks));

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt.Keys, prompt.Positions);

    /// <summary>Scores [B,G,N] (float32) of keys [B,G,N,D]: the position itself, exact up to 2^24.</summary>
    /// <param name="keys">The keys; only their shape is read.</param>
    /// <param name="positions">Their positions, broadcastable to [B,G,N]; null for those of a whole prompt, 0..N-1.</param>
    public static Tensor Score(Tensor keys, Tensor? positions = null)
    {
        using var scope = NewDisposeScope();
        return (positions?.to(ScalarType.Float32) ?? arange(keys.size(2), dtype: ScalarType.Float32, device: keys.device))
            .expand(keys.size(0), keys.size(1), keys.size(2))
            .contiguous()
            .MoveToOuterDisposeScope();
    }
}
