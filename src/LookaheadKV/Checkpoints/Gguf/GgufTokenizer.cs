using System.Text.Json.Nodes;
using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// The tokenizer.json and tokenizer_config.json that a Hugging Face folder of the same model has. Byte-level BPE (<c>gpt2</c>) states its merges; of a
/// SentencePiece model (<c>llama</c>) the merges follow from its pieces and their scores.
/// </summary>
internal static class GgufTokenizer
{
    public const string Model = "tokenizer.ggml.model";
    public const string Tokens = "tokenizer.ggml.tokens";
    public const string SentencePiece = "llama";
    private const string ByteLevel = "gpt2";
    private const string Mark = "▁";

    /// <summary>Whether the file has a tokenizer.</summary>
    public static bool IsIn(GgufMetadata metadata) => metadata.TextOrNull(Model) is not (null or "none" or "no_vocab");

    /// <exception cref="InputException">Something is missing, or the kind of tokenizer is not implemented.</exception>
    public static JsonObject Json(GgufMetadata metadata)
    {
        var special = GgufSpecialTokens.Of(metadata);
        var pieces = Pieces(metadata, special);
        var rules = metadata.Text(Model) == ByteLevel ? BytesRules(metadata, pieces) : PiecesRules(metadata, pieces, special);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([
                .. pieces.Index().Where(entry => IsAdded(entry.Item)).Select(entry => Added(entry.Index, entry.Item)),
            ]),
            ["normalizer"] = rules.Normalizer,
            ["pre_tokenizer"] = rules.PreTokenizer,
            ["post_processor"] = Around(metadata, pieces, special),
            ["decoder"] = rules.Decoder,
            ["model"] = rules.Model,
        };
    }

    /// <exception cref="InputException">Something has the wrong type.</exception>
    public static JsonObject Config(GgufMetadata metadata, int context)
    {
        var special = GgufSpecialTokens.Of(metadata);
        var (begins, ends) = Adds(metadata, special);
        var config = new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["bos_token"] = Text(special.Begin),
            ["eos_token"] = Text(special.End),
            ["unk_token"] = Text(special.Unknown),
            ["pad_token"] = Text(special.Padding),
            ["add_bos_token"] = begins,
            ["add_eos_token"] = ends,
            ["model_max_length"] = context,
            ["clean_up_tokenization_spaces"] = false,
        };
        if (Template(metadata) is { } template)
            config["chat_template"] = template;
        return config;

        string? Text(int? id) => id is { } known ? metadata.Texts(Tokens)[known] : null;
    }

    private static ScoredPiece[] Pieces(GgufMetadata metadata, GgufSpecialTokens special)
    {
        if (metadata.Text(Model) is not (ByteLevel or SentencePiece))
            throw metadata.Wrong(Model, $"{ByteLevel} or {SentencePiece}");
        var texts = metadata.Texts(Tokens);
        var scores = OnePerToken(metadata.NumbersOrNull("tokenizer.ggml.scores"), "tokenizer.ggml.scores");
        var kinds = OnePerToken(metadata.WholesOrNull("tokenizer.ggml.token_type"), "tokenizer.ggml.token_type");
        // Places of the embedding that no token has are empty texts in some files; each needs a name of its own.
        return [.. texts.Select((text, id) => new ScoredPiece(text.Length > 0 ? text : $"[EMPTY_{id}]", scores?[id] ?? 0, KindOf(id)))];

        // Where kinds are missing, or wrong as in some conversions, begin and ends are control tokens all the same.
        PieceKind KindOf(int id)
        {
            var kind = (PieceKind)(kinds?[id] ?? (int)PieceKind.Normal);
            return kind == PieceKind.Normal && (id == special.Begin || special.Ends.Contains(id)) ? PieceKind.Control : kind;
        }

        IReadOnlyList<T>? OnePerToken<T>(IReadOnlyList<T>? list, string key) =>
            list is null || list.Count >= texts.Count ? list : throw metadata.Wrong(key, $"one for each of {texts.Count} tokens");
    }

    private static bool IsAdded(ScoredPiece piece) => piece.Kind is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined;

    private static JsonNode Added(int id, ScoredPiece piece) =>
        new JsonObject
        {
            ["id"] = id,
            ["content"] = piece.Text,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = piece.Kind != PieceKind.UserDefined,
        };

    private static (JsonNode? Normalizer, JsonNode? PreTokenizer, JsonNode Decoder, JsonNode Model) BytesRules(
        GgufMetadata metadata,
        ScoredPiece[] pieces
    )
    {
        var cuts = GgufPretokenizer.Of(metadata);
        var steps = cuts.Patterns.Select(pattern =>
            (JsonNode)
                new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject { ["Regex"] = pattern },
                    ["behavior"] = "Isolated",
                    ["invert"] = false,
                }
        );
        return (
            cuts.Composes ? new JsonObject { ["type"] = "NFC" } : null,
            Sequence("pretokenizers", [.. steps, Bytes()]),
            Bytes(),
            Bpe(metadata.Path, pieces, metadata.Texts("tokenizer.ggml.merges"), unknown: null, overBytes: true, cuts.IgnoreMerges)
        );

        static JsonObject Bytes() =>
            new()
            {
                ["type"] = "ByteLevel",
                ["add_prefix_space"] = false,
                ["trim_offsets"] = true,
                ["use_regex"] = false,
            };
    }

    // As SentencePiece and llama.cpp do it, a space is put before every stretch between control tokens.
    private static (JsonNode? Normalizer, JsonNode? PreTokenizer, JsonNode Decoder, JsonNode Model) PiecesRules(
        GgufMetadata metadata,
        ScoredPiece[] pieces,
        GgufSpecialTokens special
    )
    {
        if (metadata.FlagOrNull("tokenizer.ggml.remove_extra_whitespaces") == true)
            throw metadata.Wrong("tokenizer.ggml.remove_extra_whitespaces", "false");
        var prefixed = metadata.FlagOrNull("tokenizer.ggml.add_space_prefix") ?? true;
        var merges = ScoredPiece.Merges(pieces).Select(merge => $"{merge.Left} {merge.Right}");
        var unknown = special.Unknown is { } id ? pieces[id].Text : null;
        return (
            Sequence(
                "normalizers",
                [.. prefixed ? [new JsonObject { ["type"] = "Prepend", ["prepend"] = Mark }] : (JsonNode[])[], Replace(" ", Mark)]
            ),
            null,
            Sequence(
                "decoders",
                [
                    Replace(Mark, " "),
                    new JsonObject { ["type"] = "ByteFallback" },
                    new JsonObject { ["type"] = "Fuse" },
                    .. prefixed ? [Strip()] : (JsonNode[])[],
                ]
            ),
            Bpe(metadata.Path, pieces, merges, unknown, overBytes: false, ignoreMerges: false)
        );

        static JsonNode Strip() =>
            new JsonObject
            {
                ["type"] = "Strip",
                ["content"] = " ",
                ["start"] = 1,
                ["stop"] = 0,
            };
    }

    private static JsonObject Bpe(
        string path,
        ScoredPiece[] pieces,
        IEnumerable<string> merges,
        string? unknown,
        bool overBytes,
        bool ignoreMerges
    )
    {
        var vocabulary = new JsonObject();
        foreach (var (id, piece) in pieces.Index())
            if (!vocabulary.TryAdd(piece.Text, id))
                throw new InputException($"{path}: token {Quoting.Quote(piece.Text)} is listed twice; fetch or convert the file again.");
        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = unknown,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = !overBytes,
            ["byte_fallback"] = !overBytes && vocabulary.ContainsKey("<0x00>"),
            ["ignore_merges"] = ignoreMerges,
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)merge)]),
        };
    }

    // The ids that are put around a text, in the form that all versions of the library read.
    private static JsonObject? Around(GgufMetadata metadata, ScoredPiece[] pieces, GgufSpecialTokens special)
    {
        var (begins, ends) = Adds(metadata, special);
        if (!begins && !ends)
            return null;
        var (begin, end) = (begins ? pieces[special.Begin!.Value].Text : null, ends ? pieces[special.End!.Value].Text : null);
        var tokens = new JsonObject();
        foreach (var (text, id) in new[] { (begin, special.Begin), (end, special.End) })
            if (text is not null)
                tokens[text] = new JsonObject
                {
                    ["id"] = text,
                    ["ids"] = new JsonArray(id!.Value),
                    ["tokens"] = new JsonArray(text),
                };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. One("A", 0)]),
            ["pair"] = new JsonArray([.. One("A", 0), .. One("B", 1)]),
            ["special_tokens"] = tokens,
        };

        IEnumerable<JsonNode> One(string text, int type) =>
            [
                .. Token(begin, type),
                new JsonObject
                {
                    ["Sequence"] = new JsonObject { ["id"] = text, ["type_id"] = type },
                },
                .. Token(end, type),
            ];

        static JsonNode[] Token(string? text, int type) =>
            text is null
                ? []
                :
                [
                    new JsonObject
                    {
                        ["SpecialToken"] = new JsonObject { ["id"] = text, ["type_id"] = type },
                    },
                ];
    }

    private static (bool Begin, bool End) Adds(GgufMetadata metadata, GgufSpecialTokens special)
    {
        var byDefault = metadata.Text(Model) == SentencePiece || GgufPretokenizer.Of(metadata).AddsBegin;
        return (
            special.Begin is not null && (metadata.FlagOrNull("tokenizer.ggml.add_bos_token") ?? byDefault),
            special.End is not null && metadata.FlagOrNull("tokenizer.ggml.add_eos_token") == true
        );
    }

    // One template, or the one that has no name and those that have.
    private static JsonNode? Template(GgufMetadata metadata)
    {
        const string Key = "tokenizer.chat_template";
        var template = metadata.TextOrNull(Key);
        var names = metadata.Has($"{Key}s") ? metadata.Texts($"{Key}s") : [];
        if (names.Count == 0)
            return template;
        var all = names.Select(name => Named(name, metadata.Text($"{Key}.{name}")));
        return new JsonArray([.. template is null ? [] : (JsonNode[])[Named("default", template)], .. all]);

        static JsonNode Named(string name, string text) => new JsonObject { ["name"] = name, ["template"] = text };
    }

    private static JsonObject Sequence(string name, JsonNode[] steps) => new() { ["type"] = "Sequence", [name] = new JsonArray(steps) };

    private static JsonObject Replace(string old, string with) =>
        new()
        {
            ["type"] = "Replace",
            ["pattern"] = new JsonObject { ["String"] = old },
            ["content"] = with,
        };
}
