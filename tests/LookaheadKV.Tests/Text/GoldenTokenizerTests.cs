using System.Runtime.CompilerServices;
using System.Text.Json;
using LookaheadKV.Files;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>
/// Token ids, decoded texts and rendered conversations as the Python libraries tokenizers, sentencepiece and transformers give them
/// (<c>tests/golden/make_tokenizers.py</c>).
/// </summary>
public sealed class GoldenTokenizerTests : IDisposable
{
    private static readonly Lazy<JsonDocument> Golden = new(() => JsonDocument.Parse(File.ReadAllText(GoldenFile())));
    private static readonly Lazy<string[]> Texts = new(() => Golden.Value.RootElement.GetProperty("texts").Deserialize<string[]>()!);

    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-golden-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    public static TheoryData<string> Kinds =>
        ["llama3", "qwen", "gpt2", "digits", "prefixed", "llama2", "mistral", "unknowns", "sentencepiece"];

    public static TheoryData<string> Formats =>
        ["llama3", "llama3.1", "chatml", "qwen2", "qwen3", "mistral-v0.2", "mistral-v1", "mistral-v3", "mistral-tekken", "mistral-v7"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void IdsOfAThousandHardTextsAreTheSame(string kind)
    {
        var (tokenizer, golden) = Load(kind);
        var rows = golden.GetProperty("ids").Deserialize<int[]?[]>()!;
        Assert.Equal(1000, rows.Length);
        var compared = 0;
        foreach (var (text, ids) in Texts.Value.Zip(rows))
        {
            if (ids is null) // control tokens in a text are text to the SentencePiece library alone
                continue;
            compared++;
            Assert.True(
                ids.SequenceEqual(tokenizer.Encode(text)),
                $"{Quoting.Quote(text)}: {string.Join(' ', ids)} there, {string.Join(' ', tokenizer.Encode(text))} here"
            );
        }

        Assert.True(compared >= (kind == "sentencepiece" ? 700 : 1000), $"only {compared} texts");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheTextsDecodeTheSame(string kind)
    {
        var (tokenizer, golden) = Load(kind);
        var rows = golden.GetProperty("ids").Deserialize<int[]?[]>()!;
        var changed = golden.GetProperty("decoded").Deserialize<Dictionary<string, string>>()!;
        foreach (var (i, (text, ids)) in Texts.Value.Zip(rows).Index())
        {
            if (ids is not null)
                Assert.Equal(changed.GetValueOrDefault(i.ToString(), text), tokenizer.Decode(ids));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void RandomIdsDecodeTheSame(string kind)
    {
        var (tokenizer, golden) = Load(kind);
        if (!golden.TryGetProperty("random", out var cases))
        {
            Assert.Equal("sentencepiece", kind); // that library has no text for its control tokens
            return;
        }

        Assert.Equal(100, cases.GetArrayLength());
        foreach (var one in cases.EnumerateArray())
        {
            var ids = one.GetProperty("ids").Deserialize<int[]>()!;
            Assert.Equal(one.GetProperty("text").GetString(), tokenizer.Decode(ids));
            Assert.Equal(one.GetProperty("skipped").GetString(), tokenizer.Decode(ids, skipSpecial: true));
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void ConversationsRenderTheSame(string format)
    {
        var golden = Golden.Value.RootElement.GetProperty("chat").GetProperty(format);
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), golden.GetRawText()); // its cases are passed over
        var template = ChatTemplate.Of(folder);
        var variables = new Dictionary<string, JsonElement> { ["enable_thinking"] = JsonSerializer.SerializeToElement(false) };
        var rendered = 0;
        foreach (var one in golden.GetProperty("cases").EnumerateArray())
        {
            ChatMessage[] messages =
            [
                .. one.GetProperty("messages")
                    .EnumerateArray()
                    .Select(turn => new ChatMessage(turn.GetProperty("role").GetString()!, turn.GetProperty("content").GetString()!)),
            ];
            var answer = one.GetProperty("answer").GetBoolean();
            if (one.GetProperty("text").GetString() is { } wanted)
            {
                rendered++;
                Assert.Equal(wanted, template.Render(messages, answer, variables));
            }
            else
                Assert.Throws<InputException>(() => template.Render(messages, answer, variables));
        }

        Assert.True(rendered >= 8);
    }

    /// <summary>A thousand texts to trip over.</summary>
    internal static IReadOnlyList<string> HardTexts => Texts.Value;

    /// <summary>The tokenizer.json of a kind.</summary>
    internal static string Json(string kind) => Golden.Value.RootElement.GetProperty(kind).GetProperty("tokenizer").GetRawText();

    private (Tokenizer Tokenizer, JsonElement Golden) Load(string kind)
    {
        var golden = Golden.Value.RootElement.GetProperty(kind);
        if (golden.TryGetProperty("model", out var model))
            File.WriteAllBytes(Path.Combine(folder, "tokenizer.model"), model.GetBytesFromBase64());
        else
            File.WriteAllText(Path.Combine(folder, "tokenizer.json"), golden.GetProperty("tokenizer").GetRawText());
        return (Tokenizer.Load(folder), golden);
    }

    private static string GoldenFile([CallerFilePath] string path = "") =>
        Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "golden", "tokenizers.json");
}
