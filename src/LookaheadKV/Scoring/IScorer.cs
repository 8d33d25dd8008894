using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// A method that predicts which prompt entries the answer will need. Scorers are immutable; what a method must see is its type:
/// <see cref="IPromptScorer"/> reads the prompt's own rows, <see cref="IObserverScorer"/> reads rows that follow the prompt, both a layer at a
/// time, so that a layer can be evicted before the next one starts; <see cref="IWholePromptScorer"/> needs the full caches of all layers first.
/// </summary>
public interface IScorer
{
    /// <summary>The method's name in tables and on the command line.</summary>
    string Name { get; }
}

/// <summary>Scores a layer from the prompt's own queries, keys and values.</summary>
public interface IPromptScorer : IScorer
{
    /// <summary>Scores [B,H,N] or [B,G,N], float32, higher = keep.</summary>
    /// <param name="context">The model and the prompt's tokens.</param>
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">Queries [B,H,N,D], keys and values [B,G,N,D] that this layer's attention used, in the order of their positions.</param>
    Tensor Score(PromptContext context, int layer, LayerRows prompt);
}

/// <summary>Scores a layer from the attention of rows that stand after the prompt: lookahead tokens, a draft, the answer itself.</summary>
public interface IObserverScorer : IScorer
{
    /// <summary>The rows that will follow this prompt.</summary>
    IObserver Observe(PromptContext context);

    /// <summary>Scores [B,H,N] or [B,G,N], float32, higher = keep.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">Queries [B,H,N,D], keys and values [B,G,N,D] of the prompt.</param>
    /// <param name="observer">Queries [B,H,n,D], keys and values [B,G,n,D] of the rows behind them.</param>
    Tensor Score(int layer, LayerRows prompt, LayerRows observer);
}

/// <summary>Scores all layers at once, after the pass over the prompt, from the full caches: a draft on an evicted cache, a replay of the prompt.</summary>
public interface IWholePromptScorer : IScorer
{
    /// <summary>Whether scores depend on the budget, so that each budget needs a scoring of its own.</summary>
    bool ReadsBudget { get; }

    /// <summary>Scores [B,H,N] or [B,G,N] of every layer, float32, higher = keep.</summary>
    /// <param name="prompt">All rows of the prompt.</param>
    /// <param name="count">C, the entries that a layer and kv head will keep on average, 1..N.</param>
    IReadOnlyList<Tensor> Score(WholePrompt prompt, long count);
}

/// <summary>A prompt after its pass, nothing evicted yet.</summary>
/// <param name="Context">The model and the prompt's tokens.</param>
/// <param name="Layers">Queries [B,H,N,D], keys and values [B,G,N,D] of each layer.</param>
/// <param name="NextToken">The token that the last prompt row predicts.</param>
public sealed record WholePrompt(PromptContext Context, IReadOnlyList<LayerRows> Layers, int NextToken);

/// <summary>What a scorer may know beside the rows of a layer.</summary>
/// <param name="Decoder">The model.</param>
/// <param name="Ids">The prompt [B, N] (int64).</param>
/// <param name="GreedyResponse">What follows the prompt on the full cache, computed when first asked for: the model's own greedy answer, behind the question where the prompt does not hold it.</param>
public sealed record PromptContext(Decoder Decoder, Tensor Ids, Lazy<int[]> GreedyResponse)
{
    /// <summary>How the session runs that asks: a method's own steps run so too.</summary>
    public Execution Execution { get; init; } = Execution.Compiled;
}
