using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>The tokenizer_config.json beside a tokenizer, from which transformers takes the class and the markers; its chat template is read by <see cref="ChatTemplate"/>.</summary>
public sealed record TokenizerConfig
{
    /// <summary>The text of the begin-of-sequence token, or null if none is named.</summary>
    public string? BeginToken { get; init; }

    /// <summary>The text of the end-of-sequence token, or null if none is named.</summary>
    public string? EndToken { get; init; }

    /// <summary>Whether the begin token is put before a raw prompt; null leaves it to the tokenizer's own file.</summary>
    internal bool? AddsBegin { get; init; }

    /// <summary>Whether the end token is put behind a raw prompt; null leaves it to the tokenizer's own file.</summary>
    internal bool? AddsEnd { get; init; }

    /// <summary>Tokens that this file adds to a SentencePiece model.</summary>
    internal IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Whether a SentencePiece model puts a space before every stretch between control tokens, as all did at first.</summary>
    internal bool IsLegacy { get; init; } = true;

    /// <summary>Whether a space is put before the text; null leaves it to the model.</summary>
    internal bool? AddPrefixSpace { get; init; }

    /// <summary>
    /// Reads a model's tokenizer_config.json. Without the file everything is as if it said nothing.
    /// </summary>
    /// <exception cref="InputException">A file is damaged.</exception>
    public static TokenizerConfig Read(ModelFiles files) =>
        files.Has(ModelFiles.TokenizerConfig) ? files.Json(ModelFiles.TokenizerConfig, Parse) : new TokenizerConfig();

    /// <summary>The same, of the model at a path.</summary>
    /// <param name="model">What <see cref="ModelFiles.Open"/> takes.</param>
    /// <exception cref="InputException">There is no model, or a file is damaged.</exception>
    public static TokenizerConfig Read(string model) => Read(ModelFiles.Open(model));

    /// <summary>
    /// Writes a tokenizer_config.json for PreTrainedTokenizerFast, beside its place and then renamed. Nothing is cleaned up in decoding.
    /// </summary>
    /// <param name="path">The file to write.</param>
    /// <param name="beginToken">The text of the begin-of-sequence token, or null if the model has none.</param>
    /// <param name="endToken">The text of the end-of-sequence token, also used for padding; or null.</param>
    /// <param name="maximumLength">The model's context in tokens, at least 1.</param>
    /// <exception cref="InputException">The length is below 1 or the place cannot be written.</exception>
    public static void Write(string path, string? beginToken, string? endToken, int maximumLength)
    {
        if (maximumLength < 1)
            throw new InputException($"model_max_length {maximumLength} is not a context length; give the number of tokens, at least 1.");
        AtomicFile.Write(
            path,
            stream =>
            {
                var relaxed = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
                using var json = new Utf8JsonWriter(stream, relaxed);
                json.WriteStartObject();
                json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
                json.WriteString("bos_token", beginToken);
                json.WriteString("eos_token", endToken);
                json.WriteString("pad_token", endToken);
                json.WriteNumber("model_max_length", maximumLength);
                json.WriteBoolean("clean_up_tokenization_spaces", false);
                json.WriteEndObject();
            }
        );
    }

    private static TokenizerConfig Parse(JsonField root) =>
        new()
        {
            BeginToken = Marker(root["bos_token"]),
            EndToken = Marker(root["eos_token"]),
            AddsBegin = OptionalFlag(root["add_bos_token"]),
            AddsEnd = OptionalFlag(root["add_eos_token"]),
            AddedTokens = root["added_tokens_decoder"].Present ? [.. root["added_tokens_decoder"].Properties().Select(Added)] : [],
            IsLegacy = root["legacy"].Flag(true),
            AddPrefixSpace = OptionalFlag(root["add_prefix_space"]),
        };

    private static bool? OptionalFlag(JsonField field) => field.Present ? field.Flag(true) : null;

    /// <summary>A marker is written as its text, or as an object that holds it.</summary>
    private static string? Marker(JsonField field) =>
        !field.Present ? null
        : field.IsObject ? field["content"].Text()
        : field.Text();

    private static AddedToken Added((string Key, JsonField Value) entry) =>
        int.TryParse(entry.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? TokenizerJsonReader.AddedToken(entry.Value, id)
            : throw entry.Value.Unsupported("ids as keys");
}
