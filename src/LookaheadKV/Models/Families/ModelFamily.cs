namespace LookaheadKV.Models.Families;

/// <summary>
/// A family of models: how it is called, what its class in transformers takes where <c>config.json</c> lacks a key, and what of a layer is its own. What all
/// families share is read by <see cref="HuggingFaceConfig"/>.
/// </summary>
internal sealed record ModelFamily
{
    /// <summary>What <c>attention_bias</c> gives a bias, in the families that have the key.</summary>
    public static readonly (string Key, IReadOnlyList<LinearName> Maps) AttentionBias = (
        "attention_bias",
        [LinearName.Query, LinearName.Key, LinearName.Value, LinearName.Output]
    );

    /// <summary>The class in transformers, as <c>architectures</c> names it.</summary>
    public required string Architecture { get; init; }

    /// <summary>The <c>model_type</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Entries of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Width of the feed-forward block.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Key/value heads; null where the class takes as many as query heads (all do where the key is null).</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>Head size; null where it divides the width by the heads.</summary>
    public int? HeadSize { get; init; }

    /// <summary>Context.</summary>
    public required int Positions { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>Where the norms of the blocks stand.</summary>
    public BlockNorms Norms { get; init; } = BlockNorms.Before;

    /// <summary>What of queries and keys is normalised.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>How its checkpoints name the weights of a layer.</summary>
    public WeightTable WeightNames { get; init; } = WeightTable.Llama;

    /// <summary>Maps that always have a bias.</summary>
    public IReadOnlyList<LinearName> Biases { get; init; } = [];

    /// <summary>Keys of config.json that give further maps one where they are true.</summary>
    public IReadOnlyList<(string Key, IReadOnlyList<LinearName> Maps)> BiasKeys { get; init; } = [];

    /// <summary>Keys of config.json that must not be true: what they ask for is not implemented.</summary>
    public IReadOnlyList<string> Refused { get; init; } = [];

    /// <summary>The sliding window where config.json names none; null where the family has no such key.</summary>
    public int? SlidingWindow { get; init; }
}
