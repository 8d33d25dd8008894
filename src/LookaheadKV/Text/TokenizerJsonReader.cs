using System.Text.Json;

namespace LookaheadKV.Text;

/// <summary>Reads the byte-level BPE kind of tokenizer.json and refuses, by name, everything that would tokenize differently.</summary>
internal static class TokenizerJsonReader
{
    public static TokenizerJson Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: there is no such file; name a tokenizer.json or a folder that holds one.");
        try
        {
            using var stream = File.OpenRead(path);
            using var document = JsonDocument.Parse(stream);
            return Parse(new Field(document.RootElement, "", path));
        }
        catch (JsonException error)
        {
            throw new InputException($"{path}: not valid JSON ({Quoting.OneLine(error.Message)}); fetch or write the file again.", error);
        }
        catch (InvalidOperationException error) // the kinds are checked before: what is left is text that cannot be unescaped
        {
            throw new InputException($"{path}: holds half of a surrogate pair, which is no text; fetch or write the file again.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({Quoting.OneLine(error.Message)}); check its permissions.", error);
        }
    }

    private static TokenizerJson Parse(Field root)
    {
        var model = root["model"];
        CheckModel(model);
        var decoder = root["decoder"];
        if (decoder.Present && decoder["type"].Text() != "ByteLevel")
            throw decoder["type"].Unsupported("\"ByteLevel\"");
        return new TokenizerJson(
            Vocabulary(model["vocab"]),
            Merges(model["merges"]),
            AddedTokens(root["added_tokens"]),
            Pattern(root["pre_tokenizer"]),
            NormalizesNfc(root["normalizer"]),
            model["ignore_merges"].Flag(false),
            root.Path
        );
    }

    private static void CheckModel(Field model)
    {
        // Files from before the field existed leave the type out; merges tell that they are BPE.
        if ((model["type"].Present || !model["merges"].Present) && model["type"].Text() != "BPE")
            throw model["type"].Unsupported("\"BPE\"");
        if (model["dropout"].Present && model["dropout"].Number() != 0)
            throw model["dropout"].Unsupported("null or 0");
        if (model["byte_fallback"].Flag(false))
            throw model["byte_fallback"].Unsupported("false");
        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model[name].Present && model[name].Text().Length > 0)
                throw model[name].Unsupported("null or \"\"");
        }
    }

    private static Dictionary<string, int> Vocabulary(Field field)
    {
        var vocabulary = new Dictionary<string, int>();
        foreach (var (spelling, id) in field.Properties())
        {
            if (!vocabulary.TryAdd(spelling, id.Integer()))
                throw new InputException($"{field.Path}: {field.Name} lists {Quoting.Quote(spelling)} twice; remove one of the two.");
        }

        return vocabulary;
    }

    private static List<(string Left, string Right)> Merges(Field field)
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

    private static List<AddedToken> AddedTokens(Field field)
    {
        var tokens = new List<AddedToken>();
        if (!field.Present)
            return tokens;
        foreach (var token in field.Items())
        {
            foreach (var name in (string[])["single_word", "lstrip", "rstrip"])
            {
                if (token[name].Flag(false))
                    throw token[name].Unsupported("false");
            }

            var special = token["special"].Flag(false);
            tokens.Add(new AddedToken(token["id"].Integer(), token["content"].Text(), special, token["normalized"].Flag(!special)));
        }

        return tokens;
    }

    private static bool NormalizesNfc(Field field)
    {
        if (!field.Present)
            return false;
        return field["type"].Text() == "NFC" ? true : throw field["type"].Unsupported("\"NFC\" or no normalizer");
    }

    private static string Pattern(Field field)
    {
        const string Allowed = "ByteLevel with its own pattern, or a Sequence of one Split by a Regex and ByteLevel with use_regex false";
        if (!field.Present)
            throw field.Unsupported(Allowed);
        switch (field["type"].Text())
        {
            case "ByteLevel":
                CheckByteLevel(field, usesRegex: true);
                return SplitPatterns.Gpt2;
            case "Sequence":
                var steps = field["pretokenizers"].Items().ToArray();
                if (steps.Length != 2 || steps[0]["type"].Text() != "Split" || steps[1]["type"].Text() != "ByteLevel")
                    throw field["pretokenizers"].Unsupported(Allowed);
                CheckByteLevel(steps[1], usesRegex: false);
                return SplitPattern(steps[0]);
            default:
                throw field["type"].Unsupported(Allowed);
        }
    }

    private static void CheckByteLevel(Field field, bool usesRegex)
    {
        if (field["add_prefix_space"].Flag(true))
            throw field["add_prefix_space"].Unsupported("false, written out");
        if (field["use_regex"].Flag(true) != usesRegex)
            throw field["use_regex"].Unsupported(usesRegex ? "true where ByteLevel stands alone" : "false after a Split");
    }

    private static string SplitPattern(Field field)
    {
        if (field["behavior"].Text() != "Isolated")
            throw field["behavior"].Unsupported("\"Isolated\"");
        if (field["invert"].Flag(false))
            throw field["invert"].Unsupported("false");
        return field["pattern"]["Regex"].Text();
    }

    /// <summary>A value of the file that knows its name, for the messages. A JSON null counts as absent.</summary>
    private readonly record struct Field(JsonElement Element, string Name, string Path)
    {
        public bool Present => Element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

        public bool IsArray => Element.ValueKind == JsonValueKind.Array;

        public Field this[string name]
        {
            get
            {
                var inner = Name.Length == 0 ? name : $"{Name}.{name}";
                if (Present && Element.ValueKind != JsonValueKind.Object)
                    throw Unsupported("an object");
                return new Field(Present && Element.TryGetProperty(name, out var value) ? value : default, inner, Path);
            }
        }

        public string Text() => Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Unsupported("a string");

        public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Unsupported("a number");

        public int Integer() =>
            Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) ? value : throw Unsupported("a whole number");

        public bool Flag(bool absent) =>
            Element.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => Present ? throw Unsupported("true or false") : absent,
            };

        public IEnumerable<Field> Items()
        {
            if (!IsArray)
                throw Unsupported("a list");
            var (name, path) = (Name, Path);
            return Element.EnumerateArray().Select((item, index) => new Field(item, $"{name}[{index}]", path));
        }

        public IEnumerable<(string Key, Field Value)> Properties()
        {
            if (Element.ValueKind != JsonValueKind.Object)
                throw Unsupported("an object");
            var (name, path) = (Name, Path);
            return Element
                .EnumerateObject()
                .Select(property => (property.Name, new Field(property.Value, $"{name}[{Quoting.Quote(property.Name)}]", path)));
        }

        public InputException Unsupported(string allowed) =>
            new($"{Path}: {(Name.Length == 0 ? "the file" : Name)} is {Shown()}; this reader of byte-level BPE takes {allowed}.");

        private string Shown()
        {
            if (!Present)
                return "missing";
            var raw = Quoting.OneLine(Element.GetRawText());
            return raw.Length <= 80 ? raw : raw[..80] + "…";
        }
    }
}
