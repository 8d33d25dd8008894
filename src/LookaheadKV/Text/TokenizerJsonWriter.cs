using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LookaheadKV.Text;

/// <summary>Writes a tokenizer in the form of tokenizer.json. Nothing is put before or behind a text: it has no post-processor.</summary>
internal static class TokenizerJsonWriter
{
    public static void Write(TokenizerJson tokenizer, Stream stream)
    {
        var relaxed = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var json = new Utf8JsonWriter(stream, relaxed);
        var rules = tokenizer.Rules;
        new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. tokenizer.AddedTokens.OrderBy(token => token.Id).Select(Added)]),
            ["normalizer"] = OneOrSequence(rules.Normalizers.Select(Normalizer), "normalizers"),
            ["pre_tokenizer"] = OneOrSequence(PreTokenizers(rules), "pretokenizers"),
            ["post_processor"] = null,
            ["decoder"] = rules.Decoding is { } decoding ? Decoder(decoding) : ByteLevelStep(addPrefixSpace: false),
            ["model"] = Model(tokenizer),
        }.WriteTo(json);
    }

    private static JsonNode Added(AddedToken token) =>
        new JsonObject
        {
            ["id"] = token.Id,
            ["content"] = token.Content,
            ["single_word"] = token.SingleWord,
            ["lstrip"] = token.LeftStrip,
            ["rstrip"] = token.RightStrip,
            ["normalized"] = token.Normalized,
            ["special"] = token.Special,
        };

    private static JsonNode? OneOrSequence(IEnumerable<JsonNode> steps, string name) =>
        steps.ToArray() switch
        {
            [] => null,
            [var one] => one,
            var several => new JsonObject { ["type"] = "Sequence", [name] = new JsonArray(several) },
        };

    private static JsonNode Normalizer(TextChange change) =>
        change switch
        {
            TextChange.Form form => new JsonObject { ["type"] = TokenizerJsonReader.Forms.First(entry => entry.Value == form.To).Key },
            TextChange.Prepend prepend => new JsonObject { ["type"] = "Prepend", ["prepend"] = prepend.Text },
            TextChange.Replace replace => Replace(replace.Old, replace.New),
            _ => throw new NotSupportedException(change.ToString()),
        };

    private static JsonObject Replace(string old, string with) =>
        new()
        {
            ["type"] = "Replace",
            ["pattern"] = new JsonObject { ["String"] = old },
            ["content"] = with,
        };

    private static IEnumerable<JsonNode> PreTokenizers(TextRules rules)
    {
        if (rules.Prefix is TextPrefix.Metaspace metaspace)
            yield return new JsonObject
            {
                ["type"] = "Metaspace",
                ["replacement"] = metaspace.Mark,
                ["prepend_scheme"] = metaspace.Scheme.ToString().ToLowerInvariant(),
                ["split"] = false,
            };
        foreach (var pattern in rules.Patterns)
            yield return new JsonObject
            {
                ["type"] = "Split",
                ["pattern"] = new JsonObject { ["Regex"] = pattern },
                ["behavior"] = "Isolated",
                ["invert"] = false,
            };
        if (rules.OverBytes)
            yield return ByteLevelStep(rules.Prefix is TextPrefix.Space);
    }

    private static JsonObject ByteLevelStep(bool addPrefixSpace) =>
        new()
        {
            ["type"] = "ByteLevel",
            ["add_prefix_space"] = addPrefixSpace,
            ["trim_offsets"] = false,
            ["use_regex"] = false,
        };

    private static JsonNode Decoder(PieceDecoding decoding)
    {
        if (decoding.FirstTokenLosesMarks)
            return new JsonObject
            {
                ["type"] = "Metaspace",
                ["replacement"] = decoding.Mark,
                ["prepend_scheme"] = "always",
                ["split"] = false,
            };
        var steps = new JsonArray(Replace(decoding.Mark, " "));
        if (decoding.ByteTokens)
            steps.Add(new JsonObject { ["type"] = "ByteFallback" });
        steps.Add(new JsonObject { ["type"] = "Fuse" });
        if (decoding.StripFirst > 0)
            steps.Add(
                new JsonObject
                {
                    ["type"] = "Strip",
                    ["content"] = " ",
                    ["start"] = decoding.StripFirst,
                    ["stop"] = 0,
                }
            );
        return new JsonObject { ["type"] = "Sequence", ["decoders"] = steps };
    }

    private static JsonObject Model(TokenizerJson tokenizer) =>
        new()
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = tokenizer.Rules.UnknownToken,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = tokenizer.Rules.FuseUnknown,
            ["byte_fallback"] = tokenizer.Rules.ByteFallback,
            ["ignore_merges"] = tokenizer.Rules.IgnoreMerges,
            ["vocab"] = new JsonObject(
                tokenizer
                    .Vocabulary.OrderBy(entry => entry.Value)
                    .Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, entry.Value))
            ),
            // Every version reads this form, and no spelling of bytes or of marked text has a space.
            ["merges"] = new JsonArray([.. tokenizer.Merges.Select(merge => (JsonNode)$"{merge.Left} {merge.Right}")]),
        };
}
