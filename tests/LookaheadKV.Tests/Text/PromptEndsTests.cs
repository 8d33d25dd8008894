using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Which control tokens belong around a raw prompt: the post-processor says it, and tokenizer_config.json before that.</summary>
public sealed class PromptEndsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-text-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    // tokenizer.json's own begin token; tokenizer_config.json; what is put before and behind
    [InlineData(false, null, "", "")]
    [InlineData(true, null, Samples.Ask, "")]
    [InlineData(false, """{ "bos_token": "<|ask|>" }""", "", "")]
    [InlineData(false, """{ "bos_token": { "content": "<|ask|>" }, "add_bos_token": null }""", "", "")]
    [InlineData(true, """{ "bos_token": "<|end|>" }""", Samples.Ask, "")]
    [InlineData(false, """{ "bos_token": "<|ask|>", "add_bos_token": true }""", Samples.Ask, "")]
    [InlineData(true, """{ "bos_token": "<|end|>", "add_bos_token": true }""", Samples.End, "")]
    [InlineData(true, """{ "bos_token": "<|ask|>", "add_bos_token": false }""", "", "")]
    [InlineData(true, """{ "add_bos_token": true }""", "", "")]
    [InlineData(true, """{ "eos_token": "<|end|>", "add_eos_token": true }""", "", Samples.End)]
    [InlineData(
        false,
        """{ "bos_token": "<|ask|>", "eos_token": "<|end|>", "add_bos_token": true, "add_eos_token": true }""",
        Samples.Ask,
        Samples.End
    )]
    public void TheFilesSayWhatIsAdded(bool template, string? config, string before, string behind)
    {
        var json = RustTokenizer.Json(
            template ? Samples.Definition.With(new TokenizerConfig { BeginToken = Samples.Ask, AddsBegin = true }) : Samples.Definition
        );
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json.ToJsonString());
        if (config is not null)
            File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), config);
        var tokenizer = Tokenizer.Load(folder);
        int[] Ids(string token) => token == "" ? [] : [tokenizer.Id(token)!.Value];
        foreach (var text in Samples.Hard(20))
        {
            var ids = tokenizer.Encode(text);
            var begun = before != "" && text.StartsWith(before, StringComparison.Ordinal);
            Assert.Equal([.. begun ? [] : Ids(before), .. ids, .. Ids(behind)], tokenizer.EncodePrompt(text)); // never two begin tokens
        }
    }

    [Fact]
    public void ABeginTokenThatIsNotThereIsRefusedByName()
    {
        Samples.Definition.Write(Path.Combine(folder, "tokenizer.json"));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{ "bos_token": "<s>", "add_bos_token": true }""");
        Assert.Contains("\"<s>\"", Assert.Throws<InputException>(() => Tokenizer.Load(folder)).Message);
    }

    [Fact]
    public void ASentencePieceModelBeginsAPromptUnlessItIsToldNotTo()
    {
        SentencePieceModel.Sample().Write(Path.Combine(folder, "tokenizer.model"));
        int[] the = [.. Tokenizer.Load(folder).Encode("the")];
        Assert.Equal([1, .. the], Tokenizer.Load(folder).EncodePrompt("the"));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{ "bos_token": "<s>", "add_bos_token": false }""");
        Assert.Equal(the, Tokenizer.Load(folder).EncodePrompt("the"));
    }

    [Fact]
    public void ABeginTokenIsNoTextBeforeTheWord()
    {
        // As text, a normalized "<s>" would take away the mark that Llama puts before the first word.
        SentencePieceModel.Sample().Write(Path.Combine(folder, "tokenizer.model"));
        var tokenizer = Tokenizer.Load(folder);
        Assert.Equal([1, tokenizer.Id("▁the")!.Value], tokenizer.EncodePrompt("the"));
    }

    [Fact]
    public void WrittenAndReadTheEndsAreTheSame()
    {
        var definition = Samples.Definition.With(
            new TokenizerConfig
            {
                BeginToken = Samples.Ask,
                EndToken = Samples.End,
                AddsBegin = true,
                AddsEnd = true,
            }
        );
        var json = RustTokenizer.Json(definition);
        using var rust = RustTokenizer.WithEnds(json);
        var (before, after) = (new Tokenizer(definition), Samples.Tokenizer(json));
        foreach (var text in Samples.Templates(20))
        {
            Assert.Equal(before.EncodePrompt(text), after.EncodePrompt(text));
            Assert.Equal(rust.Encode(text), after.EncodePrompt(text));
        }
    }
}
