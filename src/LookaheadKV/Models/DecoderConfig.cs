using LookaheadKV.Checkpoints;

namespace LookaheadKV.Models;

/// <summary>
/// The shape of a decoder-only language model, as <c>config.json</c> of a Hugging Face folder states it.
/// Letters of the documentation: E width, L layers, H query heads, G key/value heads, D head size.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary>Entries of the vocabulary.</summary>
    public required int VocabularySize
    {
        get;
        init => field = value.AtLeast(1, "a model's vocabulary", "correct its config.json");
    }

    /// <summary>E, the model width (<c>hidden_size</c>).</summary>
    public required int Width
    {
        get;
        init => field = value.AtLeast(1, "a model's width", "correct its config.json");
    }

    /// <summary>L, the number of layers (<c>num_hidden_layers</c>).</summary>
    public required int Layers
    {
        get;
        init => field = value.AtLeast(1, "a model's number of layers", "correct its config.json");
    }

    /// <summary>H, query heads a layer (<c>num_attention_heads</c>).</summary>
    public required int QueryHeads
    {
        get;
        init => field = value.AtLeast(1, "a model's number of query heads", "correct its config.json");
    }

    /// <summary>G, key/value heads a layer (<c>num_key_value_heads</c>); divides H.</summary>
    public required int KeyValueHeads
    {
        get;
        init => field = value.AtLeast(1, "a model's number of key/value heads", "correct its config.json");
    }

    /// <summary>D, the size of one head (<c>head_dim</c>).</summary>
    public required int HeadSize
    {
        get;
        init => field = value.AtLeast(1, "a model's head size", "correct its config.json");
    }

    /// <summary>Width of the feed-forward block (<c>intermediate_size</c>).</summary>
    public required int IntermediateSize
    {
        get;
        init => field = value.AtLeast(1, "a model's feed-forward width", "correct its config.json");
    }

    /// <summary>Longest sequence, prompt and answer together: <c>max_position_embeddings</c>, times the factor where the scaling extends it.</summary>
    public required int MaxPositions
    {
        get;
        init => field = value.AtLeast(1, "a model's context", "correct its config.json");
    }

    /// <summary>Base of the rotary frequencies (<c>rope_theta</c>).</summary>
    public double RopeTheta
    {
        get;
        init => field = value.AboveZero("a model's rope_theta", "correct its config.json");
    } = 10_000;

    /// <summary>How the rotary frequencies are changed for a longer context; null where they are not.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>A row sees at most this many tokens, itself included (<c>sliding_window</c>); null where it sees all before it.</summary>
    public int? SlidingWindow
    {
        get;
        init => field = value.AtLeast(1, "a model's sliding window", "correct its config.json");
    }

    /// <summary>Linear maps that add a bias; LoRA never does.</summary>
    public IReadOnlyList<LinearName> Biases { get; init; } = [];

    /// <summary>Where the norms of a layer's blocks stand.</summary>
    public BlockNorms Norms { get; init; } = BlockNorms.Before;

    /// <summary>What of queries and keys is RMS-normalised before it is rotated.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Under which names the family's checkpoints keep a layer.</summary>
    public WeightTable WeightNames { get; init; } = WeightTable.Llama;

    /// <summary>Epsilon of the RMS norms (<c>rms_norm_eps</c>).</summary>
    public double RmsNormEpsilon
    {
        get;
        init => field = value.AboveZero("a model's rms_norm_eps", "correct its config.json");
    } = 1e-5;

    /// <summary>Whether the output head is the embedding table (<c>tie_word_embeddings</c>).</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Tokens that end an answer (<c>eos_token_id</c>: one or several).</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>H / G: how many query heads share one key/value head.</summary>
    public int GroupSize => QueryHeads / KeyValueHeads;

    /// <summary>Bytes of one cached token over all layers and heads: <c>2·L·G·D·sizeof</c>.</summary>
    /// <param name="elementSize">Bytes of one element, 4 for float32, 2 for bfloat16.</param>
    public long CacheBytesPerToken(int elementSize) => 2L * Layers * KeyValueHeads * HeadSize * elementSize;

    /// <summary>Reads a model's <c>config.json</c>, in the form of transformers 4 (<c>rope_theta</c>) or 5 (<c>rope_parameters</c>).</summary>
    /// <param name="path">What <see cref="ModelFiles.Open"/> takes, or a config.json alone.</param>
    /// <exception cref="InputException">The file is missing, is not JSON, lacks a key, or names an architecture or option that is not implemented.</exception>
    public static DecoderConfig Load(string path)
    {
        var (files, file) = ModelFiles.Exists(path) ? (ModelFiles.Open(path), ModelFiles.Config) : ModelFiles.OfFile(path);
        return Load(files, file);
    }

    /// <summary>The same, of files that are open.</summary>
    internal static DecoderConfig Load(ModelFiles files, string file = ModelFiles.Config) => files.Json(file, HuggingFaceConfig.Parse);

    /// <summary>Makes sure that attention rows over this many tokens are what the model's attention is.</summary>
    /// <exception cref="InputException">The model's sliding window is shorter.</exception>
    internal void RequireWholeAttention(long tokens)
    {
        if (SlidingWindow is { } window && tokens > window)
            throw new InputException(
                $"{tokens} tokens are more than the model's sliding_window {window}: scores and eviction need attention to all of them; "
                    + "shorten the prompt, or use the full cache."
            );
    }
}
