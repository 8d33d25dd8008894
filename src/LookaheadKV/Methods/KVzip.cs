using LookaheadKV.Attention;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Methods;

/// <summary>
/// KVzip (Kim et al., arXiv 2505.23416): what the model looks at to write its context out again, any question about that context will need.
/// <c>s[h,j] = max_i A_h[i,j]</c> over the rows that replay j's chunk behind the prompt: softmax over everything visible, the chunk's columns
/// taken afterwards. A replay does not see those of other chunks. (The authors' softmax runs over the chunk alone; here it is the model's own.)
/// </summary>
/// <param name="Chunk">Prompt tokens replayed at once, ≥ 1.</param>
public sealed record KVzip(int Chunk = KVzip.DefaultChunk) : IWholePromptScorer
{
    /// <summary>Prompt tokens replayed at once, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Chunk
    {
        get;
        init => field = value.AtLeast(1, "kvzip chunk", $"the paper uses {DefaultChunk}");
    } = Chunk.AtLeast(1, "kvzip chunk", $"the paper uses {DefaultChunk}");

    /// <summary>Prompt tokens replayed at once, of the paper's experiments.</summary>
    public const int DefaultChunk = 2048;

    /// <summary>Tokens in front of each replayed chunk, such as those of "Repeat the previous context:"; none by default.</summary>
    public IReadOnlyList<int> Instruction { get; init; } = [];

    private static readonly TokenCount ChunkParameter = new("chunk", DefaultChunk, "tokens of the prompt that are replayed at once");

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(
            new EvictionPolicy
            {
                Name = "kvzip",
                Group = GroupReduction.Max,
                Layers = new LayerAllocation.Global(),
            }
        )
        {
            Keeps = "what a replay of the context attends to, one budget for all layers and heads",
            Paper = new("Kim et al.", 2025, "KVzip: Query-Agnostic KV Cache Compression with Context Reconstruction", "2505.23416"),
            Parameters = [ChunkParameter],
            Needs = Needs.AllLayers | Needs.Replay,
            Prefills = 2,
            Scorer = given => new KVzip(given.Of(ChunkParameter)),
        };

    /// <summary>The policy with other chunks, without a budget.</summary>
    public static EvictionPolicy Policy(int chunk = DefaultChunk) => Method.Defaults with { Scorer = new KVzip(chunk) };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public bool ReadsBudget => false;

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Score(WholePrompt prompt, long count)
    {
        using var scope = NewDisposeScope();
        var (decoder, ids) = (prompt.Context.Decoder, prompt.Context.Ids);
        var (batch, length) = (ids.size(0), ids.size(1));
        var scores = prompt.Layers.Select(_ => new List<Tensor>()).ToList();
        for (var start = 0L; start < length; start += Chunk)
        {
            using var inner = NewDisposeScope();
            var tokens = Math.Min(Chunk, length - start);
            var chunk = ids.narrow(1, start, tokens);
            var replay = Instruction.Count == 0 ? chunk : cat([decoder.Ids(Instruction).expand(batch, Instruction.Count), chunk], 1);
            using var pass = new ObserverPass(
                decoder,
                new ReplayRows(replay),
                batch,
                length,
                (layer, rows, replayed) => scores[layer].Add(Score(rows.Keys, replayed, start, tokens).MoveToOtherDisposeScope(scope))
            );
            prompt.Layers.HandTo(pass);
        }
        return [.. scores.Select(parts => cat(parts, -1).MoveToOuterDisposeScope())];
    }

    /// <summary>Scores [B,H,n] (float32) of one chunk, the columns <paramref name="first"/>..<paramref name="first"/>+n-1 of the keys.</summary>
    /// <param name="promptKeys">Post-RoPE keys [B,G,N,D] of the prompt, in the order of their positions.</param>
    /// <param name="replay">Rows of the instruction and the chunk's tokens, behind the prompt.</param>
    /// <param name="first">First column of the chunk.</param>
    /// <param name="count">n, its tokens.</param>
    public static Tensor Score(Tensor promptKeys, LayerRows replay, long first, long count)
    {
        using var scope = NewDisposeScope();
        var maxima = AttentionRows.ColumnMaxima(replay.Queries, replay.KeysBehind(promptKeys), promptKeys.size(2));
        return maxima.narrow(-1, first, count).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The replayed tokens [B, R] (int64) as observer rows.</summary>
    private sealed record ReplayRows(Tensor Ids) : IObserver
    {
        public Tensor Embed(Decoder decoder, long batch) => decoder.Embed(Ids);

        public LayerLora? Lora(int layer) => null;
    }
}
