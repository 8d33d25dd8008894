using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Ids and decoded texts as the Rust library gives them, for the tokenizers at hand and for random ones.</summary>
public class RustLibraryTests
{
    public static TheoryData<string> GoldenKinds =>
        [.. GoldenTokenizerTests.Kinds.Select(row => row.Data).Where(kind => kind != "sentencepiece")];

    [Theory]
    [MemberData(nameof(GoldenKinds))]
    public void RecordedTokenizers(string kind) => AssertSame(JsonNode.Parse(GoldenTokenizerTests.Json(kind))!, Samples.Hard(300));

    [Fact]
    public void TheShippedTokenizer() => AssertSame(Read(ModelFolders.Resolve(ModelFolders.Nano)), Samples.Hard(300));

    [Fact]
    public void ARealTokenizer()
    {
        var models = Environment.GetEnvironmentVariable("LOOKAHEADKV_MODELS");
        Assert.SkipWhen(models is null, "LOOKAHEADKV_MODELS names no folder with models");
        AssertSame(Read(Path.Combine(models!, "smollm2-135m-instruct")), Samples.Hard(300).Concat(Samples.Templates(20)));
    }

    [Fact]
    public void RandomTokenizers()
    {
        var random = new Random(21);
        for (var round = 0; round < 300; round++)
        {
            var makes = new RandomTokenizer(random);
            var (json, size) = makes.Next();
            var texts = Enumerable.Range(0, 30).Select(_ => makes.Text()).ToArray();
            try
            {
                var ours = Samples.Tokenizer(json);
                using (var plain = RustTokenizer.Plain(json))
                {
                    plain.AssertSame(ours, texts);
                    for (var i = 0; i < 20; i++)
                    {
                        int[] ids = [.. Enumerable.Range(0, random.Next(9)).Select(_ => random.Next(size))];
                        plain.AssertDecodes(ours, ids);
                    }
                }

                using var whole = RustTokenizer.WithEnds(json);
                foreach (var text in texts.Select(Tokenizer.WellFormed))
                    AssertPrompt(whole, ours, text);
            }
            catch (Exception error) when (error is Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"round {round}: {json.ToJsonString()}", error);
            }
        }
    }

    /// <summary>A whole prompt is what the Rust library makes of it, but for a begin token that the text has itself.</summary>
    private static void AssertPrompt(RustTokenizer rust, Tokenizer ours, string text)
    {
        var (there, here) = (rust.Encode(text), ours.EncodePrompt(text));
        var before = ours.Definition.Rules.Ends.Before;
        if (before.Count > 0 && ours.Encode(text).Take(before.Count).SequenceEqual(before))
            there = there[before.Count..];
        Assert.Equal(there, here);
        rust.AssertDecodes(ours, here, skipSpecial: true);
    }

    private static JsonNode Read(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;

    private static void AssertSame(JsonNode json, IEnumerable<string> texts)
    {
        using var rust = RustTokenizer.Plain(json);
        rust.AssertSame(Samples.Tokenizer(json), texts);
    }
}
