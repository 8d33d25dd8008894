using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public sealed class TokenizerJsonTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-text-").FullName;

    private static string FirstMerge => $"{Samples.Definition.Merges[0].Left} {Samples.Definition.Merges[0].Right}";

    private string File => Path.Combine(folder, "tokenizer.json");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void WrittenAndReadItEncodesTheSame()
    {
        Samples.Definition.Write(File);
        var before = new Tokenizer(Samples.Definition);
        foreach (var after in (Tokenizer[])[Tokenizer.Load(folder), Tokenizer.Load(File)])
        {
            Assert.Equal(before.VocabularySize, after.VocabularySize);
            Assert.Equal(before.SpecialTokens, after.SpecialTokens);
            foreach (var text in Samples.Hard(500))
                Assert.Equal(before.Encode(text), after.Encode(text));
        }

        Assert.Equal([File], Directory.GetFiles(folder)); // nothing is left beside it
    }

    [Fact]
    public void WritingAgainGivesTheSameBytes()
    {
        var definition = new TokenizerJson(
            Samples.Definition.Vocabulary,
            Samples.Definition.Merges,
            [new AddedToken(900, "\"é\\\n", false, true), .. Samples.Definition.AddedTokens],
            Samples.Definition.Pattern(),
            normalizeNfc: true,
            ignoreMerges: true
        );
        definition.Write(File);
        var first = System.IO.File.ReadAllBytes(File);
        var read = TokenizerJson.Read(File);
        Assert.True(read.Rules is { Normalizers: [TextChange.Form], IgnoreMerges: true });
        Assert.Equal(definition.AddedTokens.OrderBy(token => token.Id), read.AddedTokens);
        read.Write(File);
        Assert.Equal(first, System.IO.File.ReadAllBytes(File));
    }

    [Fact]
    public void ReadsMergesAsPairsAndGpt2sOwnPattern()
    {
        Edit(json =>
        {
            var model = json["model"]!.AsObject();
            model.Remove("type"); // as in files from before it existed
            var pairs = model["merges"]!
                .AsArray()
                .Select(merge => new JsonArray([.. merge!.GetValue<string>().Split(' ').Select(part => (JsonNode)part)]));
            model["merges"] = new JsonArray([.. pairs]);
            json["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false };
        });
        var read = TokenizerJson.Read(File);
        Assert.Equal(Samples.Definition.Merges, read.Merges);
        Assert.Equal(SplitPatterns.Gpt2, read.Pattern());
    }

    public static TheoryData<string, string, string> Damages =>
        new()
        {
            // the place, what is put there, what the message must name
            { "model.type", "\"Unigram\"", "Unigram" },
            { "model.type", "7", "model.type" },
            { "model", "null", "model.type" },
            { "model.vocab", "null", "model.vocab is null" },
            { "model.vocab", "[]", "model.vocab" },
            { "model.vocab.a", "\"7\"", "model.vocab.a" },
            { "model.vocab.a", "1.5", "model.vocab.a" },
            { "model.vocab.a", "-3", "-3" },
            { "model.vocab.a", "2147483647", "2147483647" },
            { "model.vocab.a", "9", "id 9" },
            { "model.vocab.a", null!, "\"a\"" },
            { "model.merges", "null", "model.merges" },
            { "model.merges", "[\"a b c\"]", "a b c" },
            { "model.merges", "[[\"a\"]]", "model.merges[0]" },
            { "model.merges", "[\"a nowhere\"]", "\"nowhere\"" },
            { "model.merges", "[\"~ ~\"]", "\"~~\"" },
            { "model.merges", $"[\"{FirstMerge}\", \"{FirstMerge}\"]", "twice" },
            { "model.dropout", "0.1", "model.dropout" },
            { "model.end_of_word_suffix", "\"_\"", "end_of_word_suffix" },
            { "model.unk_token", "7", "model.unk_token" },
            { "model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix" },
            { "pre_tokenizer.type", "\"UnicodeScripts\"", "UnicodeScripts" },
            { "pre_tokenizer.type", "\"Metaspace\"", "replacement" },
            { "pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"__\"}", "__" },
            { "pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}", "last" },
            { "pre_tokenizer", "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", "delimiter" },
            { "pre_tokenizer.pretokenizers.0.behavior", "\"Merged\"", "Merged" },
            { "pre_tokenizer.pretokenizers.0.behavior", "\"0\"", "behavior" },
            { "pre_tokenizer.pretokenizers.0.invert", "7", "invert" },
            { "pre_tokenizer.pretokenizers.0.pattern", "{\"String\":\"\"}", "pattern.String" },
            { "pre_tokenizer.pretokenizers.0.pattern", "{}", "pattern.Regex" },
            { "pre_tokenizer.pretokenizers.1.use_regex", "7", "use_regex" },
            { "normalizer", "{\"type\":\"BertNormalizer\"}", "BertNormalizer" },
            { "normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\"}]}", "normalizers[0].type" },
            { "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x(\"},\"content\":\"\"}", "x(" },
            { "normalizer", "{\"type\":\"Replace\",\"pattern\":{},\"content\":\"\"}", "pattern.String" },
            { "decoder", "{\"type\":\"WordPiece\"}", "WordPiece" },
            { "decoder", "{\"type\":\"Strip\",\"content\":\" \",\"start\":0,\"stop\":1}", "stop" },
            { "decoder", "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"ByteFallback\"}]}", "ByteFallback" },
            { "post_processor", "{\"type\":\"Template\"}", "\"Template\"" },
            { "post_processor", "{\"type\":\"BertProcessing\",\"cls\":[7]}", "post_processor.cls" },
            { "post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[]}", "post_processor.single" },
            {
                "post_processor",
                "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}",
                "post_processor.single[0]"
            },
            {
                "post_processor",
                "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}}",
                "post_processor.special_tokens.x"
            },
            { "added_tokens.0.lstrip", "7", "added_tokens[0].lstrip" },
            { "added_tokens.0.id", "5", "has id 5" },
            { "added_tokens.0.content", "\"\"", "must not be empty" },
            { "added_tokens.1.content", "\"<|end|>\"", "twice" },
            { "added_tokens.0", "{\"id\":40,\"content\":\"new\",\"special\":true}", "id 40" },
        };

    [Theory]
    [MemberData(nameof(Damages))]
    public void RefusesWhatItCannotReadByName(string place, string? value, string named)
    {
        Edit(json =>
        {
            JsonNode parent = json;
            var keys = place.Split('.');
            foreach (var key in keys[..^1])
                parent = int.TryParse(key, out var index) ? parent[index]! : parent[key]!;
            if (value is null)
                parent.AsObject().Remove(keys[^1]);
            else if (int.TryParse(keys[^1], out var last))
                parent[last] = JsonNode.Parse(value);
            else
                parent[keys[^1]] = JsonNode.Parse(value);
        });
        AssertRefused(named);
    }

    [Fact]
    public void RefusesFilesThatAreNotThere()
    {
        AssertRefused("no such file");
        Assert.Contains("tokenizer.json", Assert.Throws<InputException>(() => Tokenizer.Load(folder)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{\"model\": {")]
    public void RefusesWhatIsNotJson(string text)
    {
        System.IO.File.WriteAllText(File, text);
        AssertRefused("not JSON");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"model\":{\"merges\":[],\"vocab\":{\"\\ud800\":1}}}")]
    [InlineData("{\"model\":{\"type\":\"\\ud800\"}}")]
    public void RefusesJsonOfAnotherKind(string text)
    {
        System.IO.File.WriteAllText(File, text);
        AssertRefused("tokenizer.json");
    }

    [Fact]
    public void RefusesATruncatedFile()
    {
        Samples.Definition.Write(File);
        var bytes = System.IO.File.ReadAllBytes(File);
        System.IO.File.WriteAllBytes(File, bytes[..(bytes.Length / 2)]);
        AssertRefused("not JSON");
    }

    [Fact]
    public void RefusesAPatternThatDotNetCannotRun()
    {
        Edit(json => json["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = @"\p{Runic}+");
        Assert.Contains("Runic", Assert.Throws<InputException>(() => Tokenizer.Load(File)).Message);
    }

    [Fact]
    public void RefusesAPlaceThatCannotBeWritten()
    {
        var nowhere = Path.Combine(folder, "missing", "tokenizer.json");
        Assert.Contains(nowhere, Assert.Throws<InputException>(() => Samples.Definition.Write(nowhere)).Message);
        Assert.Throws<InputException>(() => Samples.Definition.Write(folder));
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void WritesTheConfigThatTransformersReads()
    {
        var path = Path.Combine(folder, "tokenizer_config.json");
        TokenizerConfig.Write(path, null, Samples.End, 2048);
        var config = JsonNode.Parse(System.IO.File.ReadAllText(path))!;
        Assert.Equal("PreTrainedTokenizerFast", (string?)config["tokenizer_class"]);
        Assert.Equal(Samples.End, (string?)config["eos_token"]);
        Assert.Null(config["bos_token"]);
        Assert.Equal(2048, (int?)config["model_max_length"]);
        Assert.Contains("0", Assert.Throws<InputException>(() => TokenizerConfig.Write(path, null, null, 0)).Message);
    }

    private void Edit(Action<JsonObject> edit)
    {
        Samples.Definition.Write(File);
        var json = JsonNode.Parse(System.IO.File.ReadAllText(File))!.AsObject();
        edit(json);
        System.IO.File.WriteAllText(File, json.ToJsonString());
    }

    private void AssertRefused(string named)
    {
        var message = Assert.Throws<InputException>(() => TokenizerJson.Read(File)).Message;
        Assert.Contains(named, message);
        Assert.Contains(File, message);
        Assert.DoesNotContain('\n', message);
    }
}
