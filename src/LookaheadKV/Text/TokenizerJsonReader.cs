using System.Text;
using System.Text.RegularExpressions;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>
/// Reads the BPE kinds of tokenizer.json, over bytes and over characters, and refuses, by name, everything that would tokenize differently.
/// </summary>
internal static class TokenizerJsonReader
{
    /// <summary>Unicode's normal forms by the name of their normalizer.</summary>
    public static IReadOnlyDictionary<string, NormalizationForm> Forms { get; } =
        new Dictionary<string, NormalizationForm>
        {
            ["NFC"] = NormalizationForm.FormC,
            ["NFD"] = NormalizationForm.FormD,
            ["NFKC"] = NormalizationForm.FormKC,
            ["NFKD"] = NormalizationForm.FormKD,
        };

    public static TokenizerJson Read(ModelFiles files, string file) => JsonField.Read(files, file, Parse);

    private static TokenizerJson Parse(JsonField root)
    {
        var model = root["model"];
        CheckModel(model);
        var steps = PreTokenizers(root["pre_tokenizer"]);
        var rules = new TextRules
        {
            Normalizers = [.. Steps(root["normalizer"], "normalizers").Select(Normalizer)],
            Prefix = steps.Prefix,
            Patterns = steps.Patterns,
            OverBytes = steps.OverBytes,
            IgnoreMerges = model["ignore_merges"].Flag(false),
            ByteFallback = model["byte_fallback"].Flag(false),
            UnknownToken = model["unk_token"].Present ? model["unk_token"].Text() : null,
            FuseUnknown = model["fuse_unk"].Flag(false),
            Decoding = steps.OverBytes ? null : PieceDecoder(root["decoder"]),
        };
        if (steps.OverBytes)
        {
            if (rules.ByteFallback)
                throw model["byte_fallback"].Unsupported("false where the pre-tokenizer is ByteLevel");
            if (root["decoder"].Present && root["decoder"]["type"].Text() != "ByteLevel")
                throw root["decoder"]["type"].Unsupported("\"ByteLevel\" where the pre-tokenizer is ByteLevel");
        }

        return new TokenizerJson(
            Vocabulary(model["vocab"]),
            Merges(model["merges"]),
            AddedTokens(root["added_tokens"]),
            rules with
            {
                UnknownToken = steps.OverBytes ? null : rules.UnknownToken,
            }, // bytes are never unknown
            root.Path
        );
    }

    private static void CheckModel(JsonField model)
    {
        // Files from before the field existed leave the type out; merges tell that they are BPE.
        if ((model["type"].Present || !model["merges"].Present) && model["type"].Text() != "BPE")
            throw model["type"].Unsupported("\"BPE\"");
        if (model["dropout"].Present && model["dropout"].Number() != 0)
            throw model["dropout"].Unsupported("null or 0");
        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model[name].Present && model[name].Text().Length > 0)
                throw model[name].Unsupported("null or \"\"");
        }
    }

    private static Dictionary<string, int> Vocabulary(JsonField field)
    {
        var vocabulary = new Dictionary<string, int>();
        foreach (var (spelling, id) in field.Properties())
        {
            if (!vocabulary.TryAdd(spelling, id.Integer()))
                throw new InputException($"{field.Path}: {field.Name} lists {Quoting.Quote(spelling)} twice; remove one of the two.");
        }

        return vocabulary;
    }

    private static List<(string Left, string Right)> Merges(JsonField field)
    {
        var merges = new List<(string, string)>();
        foreach (var merge in field.Items())
        {
            string[] parts = merge.IsArray ? [.. merge.Items().Select(part => part.Text())] : merge.Text().Split(' ');
            if (parts is not [{ Length: > 0 } left, { Length: > 0 } right])
                throw merge.Unsupported("two tokens, as \"a b\" or [\"a\", \"b\"]");
            merges.Add((left, right));
        }

        return merges;
    }

    private static List<AddedToken> AddedTokens(JsonField field) =>
        field.Present ? [.. field.Items().Select(token => AddedToken(token, token["id"].Integer()))] : [];

    /// <summary>An added token as tokenizer.json and tokenizer_config.json describe it.</summary>
    public static AddedToken AddedToken(JsonField token, int id)
    {
        var special = token["special"].Flag(false);
        return new AddedToken(
            id,
            token["content"].Text(),
            special,
            token["normalized"].Flag(!special),
            token["single_word"].Flag(false),
            token["lstrip"].Flag(false),
            token["rstrip"].Flag(false)
        );
    }

    /// <summary>The steps of a field that holds one, a Sequence of them, or nothing.</summary>
    private static IEnumerable<JsonField> Steps(JsonField field, string name) =>
        !field.Present ? []
        : field["type"].Text() == "Sequence" ? field[name].Items().SelectMany(step => Steps(step, name))
        : [field];

    private static TextChange Normalizer(JsonField step)
    {
        var type = step["type"].Text();
        if (Forms.TryGetValue(type, out var form))
            return new TextChange.Form(form);
        return type switch
        {
            "Prepend" => new TextChange.Prepend(step["prepend"].Text()),
            "Replace" => new TextChange.Replace(NotEmpty(step["pattern"]["String"]), step["content"].Text()),
            _ => throw step["type"].Unsupported($"the normalizers {string.Join(", ", Forms.Keys)}, Prepend and Replace (of a String)"),
        };
    }

    private static (TextPrefix? Prefix, IReadOnlyList<string> Patterns, bool OverBytes) PreTokenizers(JsonField field)
    {
        TextPrefix? prefix = null;
        var patterns = new List<string>();
        var overBytes = false;
        foreach (var step in Steps(field, "pretokenizers"))
        {
            if (overBytes)
                throw step["type"].Unsupported("nothing behind ByteLevel");
            switch (step["type"].Text())
            {
                case "Split":
                    patterns.Add(SplitPattern(step));
                    break;
                case "Digits":
                    patterns.Add(step["individual_digits"].Flag(false) ? @"\p{N}" : @"\p{N}+");
                    break;
                case "ByteLevel":
                    overBytes = true;
                    if (step["add_prefix_space"].Flag(true))
                        prefix = FirstStep(step, new TextPrefix.Space());
                    if (step["use_regex"].Flag(true))
                        patterns.Add(SplitPatterns.Gpt2);
                    break;
                case "Metaspace":
                    prefix = FirstStep(step, Metaspace(step));
                    if (step["split"].Flag(true))
                        patterns.Add($"{Regex.Escape(Mark(step))}[^{Regex.Escape(Mark(step))}]*");
                    break;
                default:
                    throw step["type"].Unsupported("the pre-tokenizers ByteLevel, Split, Digits, Metaspace and a Sequence of them");
            }

            TextPrefix FirstStep(JsonField here, TextPrefix added) =>
                patterns.Count == 0 && prefix is null
                    ? added
                    : throw here["type"].Unsupported("a step that adds a space in the first place only");
        }

        return (prefix, patterns, overBytes);
    }

    private static TextPrefix.Metaspace Metaspace(JsonField step)
    {
        var scheme = step["prepend_scheme"];
        if (!scheme.Present) // as written before there were three schemes
            return new TextPrefix.Metaspace(Mark(step), step["add_prefix_space"].Flag(true) ? PrefixScheme.Always : PrefixScheme.Never);
        return new TextPrefix.Metaspace(
            Mark(step),
            scheme.Text() switch
            {
                "always" => PrefixScheme.Always,
                "first" => PrefixScheme.First,
                "never" => PrefixScheme.Never,
                _ => throw scheme.Unsupported("\"always\", \"first\" or \"never\""),
            }
        );
    }

    private static string Mark(JsonField step) =>
        step["replacement"].Text() is { Length: 1 } mark ? mark : throw step["replacement"].Unsupported("one character");

    private static string SplitPattern(JsonField step)
    {
        if (step["behavior"].Text() != "Isolated")
            throw step["behavior"].Unsupported("\"Isolated\"");
        if (step["invert"].Flag(false))
            throw step["invert"].Unsupported("false");
        var pattern = step["pattern"];
        return pattern["String"].Present ? Regex.Escape(NotEmpty(pattern["String"])) : pattern["Regex"].Text();
    }

    private static PieceDecoding PieceDecoder(JsonField field)
    {
        const string Allowed =
            "Metaspace, or a Sequence of Replace (a String by a space), ByteFallback, Fuse and Strip (spaces at the start)";
        if (!field.Present)
            throw field.Unsupported($"the decoder {Allowed}");
        var decoding = new PieceDecoding(Mark: "", ByteTokens: false, StripFirst: 0);
        var fused = false;
        foreach (var step in Steps(field, "decoders"))
        {
            switch (step["type"].Text())
            {
                case "Metaspace" when field["type"].Text() == "Metaspace":
                    return new PieceDecoding(Mark(step), false, 0, FirstTokenLosesMarks: Metaspace(step).Scheme != PrefixScheme.Never);
                case "Replace" when decoding is { Mark: "", ByteTokens: false } && !fused && step["content"].Text() == " ":
                    decoding = decoding with { Mark = NotEmpty(step["pattern"]["String"]) };
                    break;
                case "ByteFallback" when !fused:
                    decoding = decoding with { ByteTokens = true };
                    break;
                case "Fuse":
                    fused = true;
                    break;
                case "Strip" when fused && step["content"].Text() == " " && step["stop"].Integer() == 0:
                    decoding = decoding with { StripFirst = step["start"].Integer() };
                    break;
                default:
                    throw step.Unsupported($"the decoder {Allowed}, in this order");
            }
        }

        return decoding.Mark.Length > 0 ? decoding : throw field.Unsupported($"the decoder {Allowed}");
    }

    private static string NotEmpty(JsonField field) => field.Text() is { Length: > 0 } text ? text : throw field.Unsupported("a text");
}
