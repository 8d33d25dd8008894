using System.Text.Json.Nodes;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>
/// Published tokenizers, where LOOKAHEADKV_PUBLISHED_TOKENIZERS names a folder that build/published-tokenizers.sh has filled: the Rust
/// library's ids and texts on 500 texts each.
/// </summary>
public class PublishedTokenizerTests
{
    public static TheoryData<string> Names => ["llama2", "llama3_1", "qwen3", "deepseek_v3", "gemma3", "gptoss", "gpt4o"];

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesTheRustLibrarysIdsAndTexts(string name)
    {
        var all = Environment.GetEnvironmentVariable("LOOKAHEADKV_PUBLISHED_TOKENIZERS");
        Assert.SkipWhen(all is null, "LOOKAHEADKV_PUBLISHED_TOKENIZERS names no folder");
        var folder = Path.Combine(all!, name);
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;
        var ours = Tokenizer.Load(folder);
        string[] texts = [.. GoldenTokenizerTests.HardTexts.Take(400), .. Samples.Templates(50), .. Conversations(ours).Take(50)];
        Assert.Equal(500, texts.Length);
        using (var plain = RustTokenizer.Plain(json))
            plain.AssertSame(ours, texts);
        using var whole = RustTokenizer.WithEnds(json);
        foreach (
            var text in texts.Where(text => !ours.SpecialTokens.Any(token => text.StartsWith(token.Content, StringComparison.Ordinal)))
        )
        {
            var ids = ours.Encode(text);
            whole.AssertDecodes(ours, ids, skipSpecial: true);
            // tokenizer_config.json may add a begin token that the post-processor does not: DeepSeek's does.
            var added = ours.EncodePrompt(text)[..^ids.Length];
            if (name != "deepseek_v3")
                Assert.Equal(whole.Encode(text), added.Concat(ids));
            else
                Assert.Equal([ours.Id("<｜begin▁of▁sentence｜>")!.Value], added);
        }
    }

    /// <summary>Texts with the tokenizer's own control tokens in them.</summary>
    private static IEnumerable<string> Conversations(Tokenizer tokenizer)
    {
        var random = new Random(3);
        var markers = tokenizer.Definition.AddedTokens;
        while (true)
            yield return string.Concat(
                Enumerable
                    .Range(0, 5)
                    .SelectMany(_ => (string[])[markers[random.Next(markers.Count)].Content, Samples.Templates(1, random.Next()).First()])
            );
    }
}
