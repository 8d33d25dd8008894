using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Models.Families;

namespace LookaheadKV.Models;

/// <summary>
/// What <c>config.json</c> says of a model, family by family. A key that is not there, or null, has the value that the family's class in
/// transformers gives it; an architecture or option that changes the numbers and is not implemented is refused by name.
/// </summary>
internal static class HuggingFaceConfig
{
    public static DecoderConfig Parse(JsonField config)
    {
        var family = FamilyOf(config);
        Require(config["hidden_act"], "silu", "swish");
        RequireNumber(config["partial_rotary_factor"], 1);
        if (config["quantization_config"] is { Present: true } quantized)
            throw quantized.Wrong("is not implemented; use a folder with F32, F16 or BF16 weights");

        foreach (var key in family.Refused)
            Refuse(config[key]);

        var width = Positive("hidden_size", 4_096);
        var heads = Positive("num_attention_heads", 32);
        var ofKeys = config["num_key_value_heads"];
        var kvHeads = ofKeys.Or((ofKeys.IsNull ? null : family.KeyValueHeads) ?? heads, field => field.Positive());
        if (heads % kvHeads != 0)
            throw new InputException($"{config.Source}: num_attention_heads {heads} is not a multiple of num_key_value_heads {kvHeads}.");
        var headSize = Positive("head_dim", family.HeadSize ?? width / heads);
        if (headSize % 2 != 0)
            throw new InputException($"{config.Source}: a head size of {headSize} is odd; rotary positions need an even one (head_dim).");

        var positions = Positive("max_position_embeddings", family.Positions);
        var (theta, scaling) = RopeConfig.Parse(config, positions);
        var context = RopeScaling.Context(scaling, positions);
        return new DecoderConfig
        {
            VocabularySize = Positive("vocab_size", family.Vocabulary),
            Width = width,
            Layers = Positive("num_hidden_layers", 32),
            QueryHeads = heads,
            KeyValueHeads = kvHeads,
            HeadSize = headSize,
            IntermediateSize = Positive("intermediate_size", family.Intermediate),
            MaxPositions = context,
            RopeTheta = theta,
            RopeScaling = scaling,
            SlidingWindow = SlidingWindow(config, family) is { } window && window < context ? window : null,
            Biases = [.. family.Biases, .. family.BiasKeys.Where(row => config[row.Key].Flag(false)).SelectMany(row => row.Maps)],
            Norms = family.Norms,
            QueryKeyNorm = family.QueryKeyNorm,
            WeightNames = family.WeightNames,
            RmsNormEpsilon = config["rms_norm_eps"].Or(family.Epsilon, field => field.Number()),
            TiedEmbeddings = config["tie_word_embeddings"].Flag(false),
            EndTokens = EndTokens(config),
        };

        int Positive(string name, int absent) => config[name].Or(absent, field => field.Positive());
    }

    /// <summary>The end tokens that a configuration names, or those of its class.</summary>
    public static IReadOnlyList<int> EndTokens(JsonField config) =>
        config["eos_token_id"] is { IsGiven: true } given ? [.. given.OneOrMany().Select(id => id.Integer())] : FamilyOf(config).EndTokens;

    private static ModelFamily FamilyOf(JsonField config)
    {
        var architecture = config["architectures"].Or(default, field => field.Items().FirstOrDefault());
        if (architecture.Present)
            return Known(architecture, family => family.Architecture);
        return config["model_type"] is { Present: true } type
            ? Known(type, family => family.Type)
            : throw new InputException(
                $"{config.Source}: neither architectures nor model_type is there; is this the config.json of a language model?"
            );

        static ModelFamily Known(JsonField field, Func<ModelFamily, string> name)
        {
            Require(field, [.. ModelFamilies.All.Select(name)]);
            return ModelFamilies.All.Single(family => name(family) == field.Text());
        }
    }

    private static int? SlidingWindow(JsonField config, ModelFamily family)
    {
        Refuse(config["use_sliding_window"]);
        var window = config["sliding_window"];
        if (family.SlidingWindow is { } absent)
            return window.IsNull ? null : window.Or(absent, field => field.Positive());
        foreach (var type in config["layer_types"].OneOrMany())
            Require(type, "full_attention");
        return null;
    }

    /// <summary>Refuses, by name, a text that is not one of those implemented.</summary>
    internal static void Require(JsonField field, params string[] implemented)
    {
        if (field.Present && !implemented.Contains(field.Text()))
            throw field.Wrong($"{Quoting.Quote(field.Text())} is not implemented; allowed: {string.Join(", ", implemented)}");
    }

    /// <summary>Refuses, by name, a number that is not the one implemented.</summary>
    internal static void RequireNumber(JsonField field, double implemented)
    {
        if (field.Present && field.Number() != implemented)
            throw field.Wrong(FormattableString.Invariant($"{field.Number()} is not implemented; allowed: {implemented}"));
    }

    private static void Refuse(JsonField field)
    {
        if (field.Flag(false))
            throw field.Wrong("true is not implemented; allowed: false");
    }
}
