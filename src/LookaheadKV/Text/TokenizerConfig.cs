using System.Text.Encodings.Web;
using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>The tokenizer_config.json beside a tokenizer.json, from which transformers takes the class and the markers.</summary>
public static class TokenizerConfig
{
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
}
