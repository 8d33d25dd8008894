using LookaheadKV.Files;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public sealed class SentencePieceReaderTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-text-").FullName;

    private string Model => Path.Combine(folder, "tokenizer.model");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EncodesLikeTheNaiveRule(bool byteFallback)
    {
        var model = SentencePieceModel.Sample(byteFallback);
        var tokenizer = Load(model);
        var merged = 0;
        foreach (var text in Samples.Hard(1500).Concat(Samples.Templates(30)))
        {
            var ids = tokenizer.Encode(text);
            Assert.True(model.Encode(text).SequenceEqual(ids), Quoting.Quote(text));
            merged += text.Length > ids.Length ? 1 : 0;
        }

        Assert.True(merged > 30); // the sample vocabulary does merge
    }

    [Fact]
    public void TheSplitOfARunGoesFromTheLeftWhereScoresAreEqual()
    {
        // "aaa" can be a+aa and aa+a, one piece and one score: of the overlapping pairs in aa|a|aa the leftmost goes first.
        var model = new SentencePieceModel { DummyPrefix = false };
        model.Pieces.AddRange(SentencePieceModel.Sample().Pieces.Take(259));
        model.Pieces.AddRange([("aa", -1, 1), ("aaa", -2, 1), ("a", -3, 1)]);
        var tokenizer = Load(model);
        foreach (var length in Enumerable.Range(1, 20))
        {
            var text = new string('a', length);
            Assert.Equal(model.Encode(text), tokenizer.Encode(text));
        }
    }

    [Fact]
    public void DecodesWhatItEncoded()
    {
        var tokenizer = Load(SentencePieceModel.Sample());
        foreach (var text in Samples.Hard(1000).Concat(Samples.Templates(30)).Where(text => !text.Contains('▁')))
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void AWrongByteSpoilsItsRunAndNothingElse()
    {
        var tokenizer = Load(SentencePieceModel.Sample());
        int[] Bytes(params byte[] values) => [.. values.Select(value => tokenizer.Id($"<0x{value:X2}>")!.Value)];
        int[] word = [tokenizer.Id("▁the")!.Value];
        Assert.Equal("the🙂 the", tokenizer.Decode([.. word, .. Bytes(0xF0, 0x9F, 0x99, 0x82), .. word]));
        Assert.Equal("the\ufffd\ufffd\ufffd\ufffd the", tokenizer.Decode([.. word, .. Bytes(0xE2, 0x82, 0xAC, 0xFF), .. word]));
        Assert.Equal("the\ufffd", tokenizer.Decode([.. word, .. Bytes(0xE2)]));
    }

    [Fact]
    public void ControlTokensInATextAreFoundAndTheTextBehindThemStartsAnew()
    {
        var tokenizer = Load(SentencePieceModel.Sample());
        int[] the = [.. tokenizer.Encode("the")];
        Assert.Equal([1, .. the, 2, .. the], tokenizer.Encode("<s>the</s>the"));
        Assert.Equal("the the", tokenizer.Decode(tokenizer.Encode("<s>the</s>the"), skipSpecial: true));
        Assert.Equal(["<unk>", "<s>", "</s>"], tokenizer.SpecialTokens.Select(token => token.Content));
    }

    [Fact]
    public void TheConfigurationAddsTokensAndLeavesTheSpaceOut()
    {
        var size = SentencePieceModel.Sample().Pieces.Count;
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"),
            $$"""
            { "legacy": false, "add_prefix_space": true, "added_tokens_decoder": {
                "1": { "content": "<s>", "special": true }, "{{size}}": { "content": "[INST]", "special": true, "lstrip": true } } }
            """
        );
        var tokenizer = Load(SentencePieceModel.Sample());
        Assert.Equal(size, tokenizer.Id("[INST]"));
        int[] the = [tokenizer.Id("▁the")!.Value];
        int[] bare = [.. tokenizer.Encode("<s>the").Skip(1)];
        Assert.NotEqual(the, bare);
        Assert.Equal([.. the, size, .. bare, size], tokenizer.Encode("the  [INST]the [INST]"));
        Assert.Equal(the, tokenizer.Encode(" the")); // one space is there already
    }

    [Fact]
    public void WrittenAsTokenizerJsonItEncodesTheSame()
    {
        var before = Load(SentencePieceModel.Sample());
        var file = Path.Combine(folder, "tokenizer.json");
        before.Definition.Write(file);
        var after = Tokenizer.Load(folder); // the tokenizer.json goes before the model
        Assert.Equal(file, after.Definition.Source);
        foreach (var text in Samples.Hard(300))
        {
            Assert.Equal(before.Encode(text), after.Encode(text));
            Assert.Equal(text, after.Decode(after.Encode(text)).Replace('▁', ' '), ignoreAllWhiteSpace: text.Contains('▁'));
        }
    }

    [Fact]
    public void RefusesOtherKindsByName()
    {
        AssertRefused(new() { ModelType = 1 }, "unigram", "bpe");
        AssertRefused(new() { CharacterMap = "x" }, "nmt_nfkc", "identity");
        AssertRefused(new() { RemovesExtraSpaces = true }, "remove_extra_whitespaces", "false");
        var unused = SentencePieceModel.Sample();
        unused.Pieces[300] = unused.Pieces[300] with { Kind = 5 };
        AssertRefused(unused, "unused");
        var twice = SentencePieceModel.Sample();
        twice.Pieces.Add(twice.Pieces[300]);
        AssertRefused(twice, "twice");
        var noBytes = SentencePieceModel.Sample(byteFallback: false);
        var half = new SentencePieceModel { ByteFallback = true };
        half.Pieces.AddRange(noBytes.Pieces);
        AssertRefused(half, "<0x00>");
    }

    [Theory]
    [InlineData("")]
    [InlineData("this is text")]
    [InlineData("\n\u0005ab")]
    public void RefusesWhatIsNoModel(string content)
    {
        File.WriteAllText(Model, content);
        var message = Assert.Throws<InputException>(() => Tokenizer.Load(folder)).Message;
        Assert.Contains(Model, message);
        Assert.Contains("SentencePiece", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void RefusesACutModel()
    {
        SentencePieceModel.Sample().Write(Model);
        var bytes = File.ReadAllBytes(Model);
        File.WriteAllBytes(Model, bytes[..(bytes.Length / 2)]);
        Assert.Contains(Model, Assert.Throws<InputException>(() => Tokenizer.Load(folder)).Message);
    }

    private Tokenizer Load(SentencePieceModel model)
    {
        model.Write(Model);
        return Tokenizer.Load(folder);
    }

    private void AssertRefused(SentencePieceModel model, params string[] named)
    {
        if (model.Pieces.Count == 0)
            model.Pieces.AddRange(SentencePieceModel.Sample().Pieces);
        var message = Assert.Throws<InputException>(() => Load(model)).Message;
        Assert.All([.. named, Model], part => Assert.Contains(part, message));
        Assert.DoesNotContain('\n', message);
    }
}
