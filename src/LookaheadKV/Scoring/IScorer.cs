using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Scoring;

/// <summary>
/// A method that predicts which prompt entries the answer will need. Scorers are immutable; what a method must see is its type:
/// <see cref="IPromptScorer"/> reads the prompt's own rows, <see cref="IObserverScorer"/> reads rows that follow the prompt.
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
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">Queries [B,H,N,D], keys and values [B,G,N,D] that this layer's attention used.</param>
    Tensor Score(int layer, LayerRows prompt);
}

/// <summary>Scores a layer from the attention of rows that stand after the prompt: lookahead tokens, a draft, the answer itself.</summary>
public interface IObserverScorer : IScorer
{
    /// <summary>The rows that will follow this prompt.</summary>
    IObserver Observe(PromptContext context);

    /// <summary>Scores [B,H,N] or [B,G,N], float32, higher = keep.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="prompt">Queries [B,H,N,D], keys and values [B,G,N,D] of the prompt.</param>
    /// <param name="observer">Queries [B,H,n,D], keys and values [B,G,n,D] of the rows at positions N..N+n-1.</param>
    Tensor Score(int layer, LayerRows prompt, LayerRows observer);
}

/// <summary>Rows appended after a prompt only to watch where they attend; they never enter the cache.</summary>
public interface IObserver
{
    /// <summary>The rows' embeddings [B, n, E].</summary>
    Tensor Embed(Decoder decoder, long batch);

    /// <summary>Low-rank deltas active on these rows in a layer; null for the base model.</summary>
    Lookahead.LayerLora? Lora(int layer);
}

/// <summary>What an observer may know of the prompt it follows.</summary>
/// <param name="Decoder">The model.</param>
/// <param name="Ids">The prompt [B, N] (int64).</param>
/// <param name="GreedyResponse">The model's own greedy answer on the full cache, computed when first asked for.</param>
public sealed record PromptContext(Decoder Decoder, Tensor Ids, Lazy<int[]> GreedyResponse);
