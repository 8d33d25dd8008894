using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LookaheadKV.Text;

/// <summary>Writes a tokenizer in the form of tokenizer.json.</summary>
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
            ["pre_tokenizer"] = OneOrSequence(rules.PreTokenizers.Select(PreTokenizer), "pretokenizers"),
            ["post_processor"] = PostProcessor(tokenizer),
            ["decoder"] = OneOrSequence(Decoders(rules), "decoders"),
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
            TextChange.Form form => Step(TokenizerJsonReader.Forms.First(entry => entry.Value == form.To).Key),
            TextChange.Prepend prepend => Step("Prepend", ("prepend", prepend.Text)),
            TextChange.Replace replace => Step("Replace", ("pattern", String(replace.Old)), ("content", replace.New)),
            TextChange.ReplaceMatches replace => Step("Replace", ("pattern", Regex(replace.Pattern)), ("content", replace.New)),
            TextChange.Lowercase => Step("Lowercase"),
            TextChange.StripAccents => Step("StripAccents"),
            TextChange.Strip strip => Step("Strip", ("strip_left", strip.Left), ("strip_right", strip.Right)),
            TextChange.SpellBytes => Step("ByteLevel"),
            _ => throw new NotSupportedException(change.ToString()),
        };

    private static JsonNode PreTokenizer(PreTokenizer step) =>
        step switch
        {
            Text.PreTokenizer.Split split => Step(
                "Split",
                ("pattern", Regex(split.Pattern)),
                ("behavior", split.Behavior.ToString()),
                ("invert", split.Invert)
            ),
            Text.PreTokenizer.Metaspace metaspace => Step(
                "Metaspace",
                ("replacement", metaspace.Mark),
                ("prepend_scheme", Name(metaspace.Scheme)),
                ("split", metaspace.SplitsWords)
            ),
            Text.PreTokenizer.SpellBytes bytes => ByteLevelStep(bytes.AddsSpace, bytes.Splitter is not null),
            _ => throw new NotSupportedException(step.ToString()),
        };

    private static IEnumerable<JsonNode> Decoders(TextRules rules)
    {
        foreach (var step in rules.Decoders)
        {
            if (step is TokenDecoder.Strip { OfText: true })
                yield return Step("Fuse");
            if (step is not TokenDecoder.Spaced) // which is what becomes of no decoder
                yield return step switch
                {
                    TokenDecoder.SpelledBytes => ByteLevelStep(addPrefixSpace: false, useRegex: false),
                    TokenDecoder.ByteFallback => Step("ByteFallback"),
                    TokenDecoder.Metaspace metaspace => Step(
                        "Metaspace",
                        ("replacement", metaspace.Mark),
                        ("prepend_scheme", Name(metaspace.Scheme)),
                        ("split", false)
                    ),
                    TokenDecoder.Replace replace => Step("Replace", ("pattern", String(replace.Old)), ("content", replace.New)),
                    TokenDecoder.Strip strip => Step("Strip", ("content", strip.Character.ToString()), ("start", strip.Most), ("stop", 0)),
                    _ => throw new NotSupportedException(step.ToString()),
                };
        }
    }

    private static JsonNode? PostProcessor(TokenizerJson tokenizer)
    {
        var (before, behind) = (tokenizer.Rules.Ends.Before, tokenizer.Rules.Ends.Behind);
        if (before.Count + behind.Count == 0)
            return null;
        var names = before
            .Concat(behind)
            .Distinct()
            .ToDictionary(
                id => id,
                id =>
                    tokenizer.AddedTokens.FirstOrDefault(token => token.Id == id)?.Content
                    ?? tokenizer.Vocabulary.First(entry => entry.Value == id).Key
            );
        JsonNode Prompt(string id) => new JsonObject { ["Sequence"] = Typed(id) };
        JsonNode Token(int id) => new JsonObject { ["SpecialToken"] = Typed(names[id]) };
        JsonArray Around(params JsonNode[] inner) => [.. before.Select(Token), .. inner, .. behind.Select(Token)];
        return Step(
            "TemplateProcessing",
            ("single", Around(Prompt("A"))),
            ("pair", Around(Prompt("A"), Prompt("B"))),
            (
                "special_tokens",
                new JsonObject(
                    names.Select(entry =>
                        KeyValuePair.Create<string, JsonNode?>(
                            entry.Value,
                            new JsonObject
                            {
                                ["id"] = entry.Value,
                                ["ids"] = new JsonArray(entry.Key),
                                ["tokens"] = new JsonArray(entry.Value),
                            }
                        )
                    )
                )
            )
        );

        static JsonNode Typed(string id) => new JsonObject { ["id"] = id, ["type_id"] = 0 };
    }

    private static JsonNode ByteLevelStep(bool addPrefixSpace, bool useRegex) =>
        Step("ByteLevel", ("add_prefix_space", addPrefixSpace), ("trim_offsets", false), ("use_regex", useRegex));

    private static JsonObject Step(string type, params (string Name, JsonNode? Value)[] fields) =>
        new(fields.Prepend(("type", type)).Select(field => KeyValuePair.Create(field.Item1, field.Item2)));

    private static JsonObject String(string text) => new() { ["String"] = text };

    private static JsonObject Regex(string pattern) => new() { ["Regex"] = pattern };

    private static string Name(PrefixScheme scheme) => scheme.ToString().ToLowerInvariant();

    // Every version reads merges as text; only the newer ones read pairs, which tokens with a space in them need.
    private static bool HasSpace(TokenizerJson tokenizer) => tokenizer.Merges.Any(merge => (merge.Left + merge.Right).Contains(' '));

    private static JsonNode AsText((string Left, string Right) merge) => $"{merge.Left} {merge.Right}";

    private static JsonNode AsPair((string Left, string Right) merge) => new JsonArray(merge.Left, merge.Right);

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
            ["merges"] = new JsonArray([.. tokenizer.Merges.Select<(string, string), JsonNode>(HasSpace(tokenizer) ? AsPair : AsText)]),
        };
}
