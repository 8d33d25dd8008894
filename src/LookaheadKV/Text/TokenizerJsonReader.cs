using System.Text;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>Reads tokenizer.json where its model is BPE, and refuses, by name, everything that would tokenize differently here.</summary>
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

    public static TokenizerJson Read(ModelFiles files, string file) => files.Json(file, Parse);

    private static TokenizerJson Parse(JsonField root)
    {
        var model = root["model"];
        CheckModel(model);
        return new TokenizerJson(
            Vocabulary(model["vocab"]),
            Merges(model["merges"]),
            AddedTokens(root["added_tokens"]),
            new TextRules
            {
                Normalizers = [.. Steps(root["normalizer"], "normalizers").Select(Normalizer)],
                PreTokenizers = [.. Steps(root["pre_tokenizer"], "pretokenizers").SelectMany(PreTokenizerReader.Read)],
                Decoders = DecoderReader.Read(root["decoder"]),
                IgnoreMerges = model["ignore_merges"].Flag(false),
                ByteFallback = model["byte_fallback"].Flag(false),
                UnknownToken = model["unk_token"].Present ? model["unk_token"].Text() : null,
                FuseUnknown = model["fuse_unk"].Flag(false),
                Ends = PostProcessorReader.Read(root["post_processor"]),
            },
            root.Source
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
                throw new InputException($"{field.Source}: {field.Name} lists {Quoting.Quote(spelling)} twice; remove one of the two.");
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
    public static IEnumerable<JsonField> Steps(JsonField field, string name) =>
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
            "Replace" => step["pattern"]["Regex"].Present
                ? new TextChange.ReplaceMatches(step["pattern"]["Regex"].Text(), step["content"].Text(), step.Source)
                : new TextChange.Replace(NotEmpty(step["pattern"]["String"]), step["content"].Text()),
            "Lowercase" => new TextChange.Lowercase(),
            "StripAccents" => new TextChange.StripAccents(),
            "Strip" => new TextChange.Strip(step["strip_left"].Flag(true), step["strip_right"].Flag(true)),
            "ByteLevel" => new TextChange.SpellBytes(),
            _ => throw step["type"]
                .Unsupported(
                    $"the normalizers {string.Join(", ", Forms.Keys)}, Prepend, Replace, Lowercase, StripAccents, Strip and ByteLevel"
                ),
        };
    }

    /// <summary>A text that must not be empty.</summary>
    public static string NotEmpty(JsonField field) => field.Text() is { Length: > 0 } text ? text : throw field.Unsupported("a text");
}
