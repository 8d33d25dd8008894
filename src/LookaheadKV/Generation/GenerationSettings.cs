using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Models;

namespace LookaheadKV.Generation;

/// <summary>
/// How a model's files want its answers drawn, beside the tokens that end them (<see cref="EndTokens"/>): what generation_config.json says, or, of a
/// model without one, config.json, where transformers looks then too.
/// </summary>
/// <param name="Source">The file, for messages.</param>
/// <param name="RepetitionPenalty">Goes to <see cref="SamplingOptions.RepetitionPenalty"/>; 1 changes nothing.</param>
/// <param name="Changes">The keys that make answers other than the plain greedy ones, in the file's order, each with its value as the file writes it.</param>
public sealed record GenerationSettings(string Source, double RepetitionPenalty, IReadOnlyList<(string Key, string Value)> Changes)
{
    /// <summary>Goes to <see cref="SamplingOptions.RepetitionPenalty"/>; 1 changes nothing.</summary>
    /// <exception cref="InputException">It is not above 0.</exception>
    public double RepetitionPenalty
    {
        get;
        init => field = value.AboveZero("repetition penalty", "1 changes nothing");
    } = RepetitionPenalty.AboveZero("repetition penalty", "1 changes nothing");

    /// <summary>The key of the one setting that is applied.</summary>
    public const string RepetitionPenaltyKey = "repetition_penalty";

    /// <summary>The key that asks for tokens to be drawn, not taken by their likelihood.</summary>
    public const string SampleKey = "do_sample";

    private const int Longest = 40;

    // With the number that changes nothing; null, false and what is empty never do.
    private static readonly Dictionary<string, double?> Keys = new()
    {
        [RepetitionPenaltyKey] = 1,
        [SampleKey] = null,
        ["num_beams"] = 1,
        ["num_beam_groups"] = 1,
        ["diversity_penalty"] = 0,
        ["length_penalty"] = 1,
        ["early_stopping"] = null,
        ["penalty_alpha"] = 0,
        ["dola_layers"] = null,
        ["guidance_scale"] = 1,
        ["encoder_repetition_penalty"] = 1,
        ["no_repeat_ngram_size"] = 0,
        ["encoder_no_repeat_ngram_size"] = 0,
        ["min_length"] = 0,
        ["min_new_tokens"] = 0,
        ["max_new_tokens"] = null,
        ["max_time"] = null,
        ["stop_strings"] = null,
        ["bad_words_ids"] = null,
        ["force_words_ids"] = null,
        ["constraints"] = null,
        ["sequence_bias"] = null,
        ["suppress_tokens"] = null,
        ["begin_suppress_tokens"] = null,
        ["forced_bos_token_id"] = null,
        ["forced_eos_token_id"] = null,
        ["forced_decoder_ids"] = null,
        ["exponential_decay_length_penalty"] = null,
        ["remove_invalid_values"] = null,
        ["token_healing"] = null,
        ["watermarking_config"] = null,
    };

    // These say something only where tokens are drawn.
    private static readonly Dictionary<string, double?> SamplingKeys = new()
    {
        ["temperature"] = 1,
        ["top_k"] = 0,
        ["top_p"] = 1,
        ["min_p"] = 0,
        ["top_h"] = null,
        ["typical_p"] = 1,
        ["epsilon_cutoff"] = 0,
        ["eta_cutoff"] = 0,
    };

    /// <summary>The settings of a model, which may have neither file.</summary>
    /// <exception cref="InputException">A file is damaged, or a setting that is looked at has a value that it cannot have.</exception>
    public static GenerationSettings Of(ModelFiles files)
    {
        var file = files.Has(ModelFiles.GenerationConfig) ? ModelFiles.GenerationConfig : ModelFiles.Config;
        return files.Has(file) ? files.Json(file, root => Of(files.NameOf(file), root)) : new(files.NameOf(file), 1, []);
    }

    /// <summary>The same, of the model at a path.</summary>
    public static GenerationSettings Of(string model) => Of(ModelFiles.Open(model));

    private static GenerationSettings Of(string source, JsonField root)
    {
        var samples = root[SampleKey].Flag(false);
        var penalty = root[RepetitionPenaltyKey].Or(1.0, value => value.Number());
        if (penalty <= 0)
            throw root[RepetitionPenaltyKey].Unsupported("a number above 0");
        return new(
            source,
            penalty,
            [
                .. root.Properties()
                    .Where(entry => Changes(Keys, entry) || (samples && Changes(SamplingKeys, entry)))
                    .Select(entry => (entry.Key, Shown(entry.Value.Element.GetRawText()))),
            ]
        );

        static bool Changes(Dictionary<string, double?> keys, (string Key, JsonField Value) entry) =>
            keys.TryGetValue(entry.Key, out var neutral) && !IsNeutral(entry.Value.Element, neutral);
    }

    private static bool IsNeutral(JsonElement value, double? neutral) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.False => true,
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            JsonValueKind.Number => value.TryGetDouble(out var number) && number == neutral,
            _ => false,
        };

    private static string Shown(string json)
    {
        var line = string.Join(' ', json.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= Longest ? line : $"{line[..Longest]}…";
    }
}
