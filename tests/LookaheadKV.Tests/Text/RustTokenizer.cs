using System.Text.Json.Nodes;
using LookaheadKV.Files;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>The Rust library tokenizers, as Tokenizers.DotNet carries it for some platforms: what ids and texts ought to be.</summary>
internal sealed class RustTokenizer : IDisposable
{
    private static readonly Lazy<string?> Missing = new(() =>
    {
        try
        {
            using var any = new RustTokenizer(new JsonObject { ["model"] = Model(["a"]) }, endsAndSkips: false);
            return null;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            return $"Tokenizers.DotNet has no runtime for this platform ({Quoting.OneLine(error.Message)})";
        }
    });

    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-rust-").FullName;
    private readonly Tokenizers.DotNet.Tokenizer tokenizer;

    private RustTokenizer(JsonNode json, bool endsAndSkips)
    {
        json = json.DeepClone();
        if (!endsAndSkips)
        {
            json["post_processor"] = null;
            foreach (var token in json["added_tokens"]?.AsArray() ?? [])
            {
                token!["normalized"] = (bool?)token["normalized"] ?? (bool?)token["special"] != true;
                token["special"] = false;
            }
        }

        var file = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(file, json.ToJsonString());
        tokenizer = new Tokenizers.DotNet.Tokenizer(vocabPath: file);
    }

    /// <summary>A tokenizer that adds no control token to what it encodes and leaves none out of what it decodes.</summary>
    public static RustTokenizer Plain(JsonNode json) => Here(() => new(json, endsAndSkips: false));

    /// <summary>A tokenizer that adds the control tokens of its post-processor, and decodes without control tokens.</summary>
    public static RustTokenizer WithEnds(JsonNode json) => Here(() => new(json, endsAndSkips: true));

    /// <summary>The form of a tokenizer that we made.</summary>
    public static JsonNode Json(TokenizerJson definition)
    {
        var file = Path.GetTempFileName();
        definition.Write(file);
        var json = JsonNode.Parse(File.ReadAllText(file))!;
        File.Delete(file);
        return json;
    }

    /// <summary>A BPE model of these tokens, without merges.</summary>
    public static JsonObject Model(IEnumerable<string> tokens) =>
        new()
        {
            ["type"] = "BPE",
            ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create<string, JsonNode?>(token, id))),
            ["merges"] = new JsonArray(),
        };

    public int[] Encode(string text) => [.. tokenizer.Encode(text).Select(id => (int)id)];

    public string Decode(IEnumerable<int> ids) => tokenizer.Decode([.. ids.Select(id => (uint)id)]);

    /// <summary>Asserts that ours gives the same ids, and the same text of them.</summary>
    public void AssertSame(Tokenizer ours, IEnumerable<string> texts)
    {
        foreach (var text in texts.Select(Tokenizer.WellFormed))
        {
            var (there, here) = (Encode(text), ours.Encode(text));
            Assert.True(
                there.SequenceEqual(here),
                $"{Quoting.Quote(text)}: {string.Join(' ', there)} there, {string.Join(' ', here)} here"
            );
            AssertDecodes(ours, there);
        }
    }

    /// <summary>Asserts that ours gives the same text of ids.</summary>
    public void AssertDecodes(Tokenizer ours, int[] ids, bool skipSpecial = false)
    {
        // This version of the library shows such a token as the file writes it; newer ones, whose output is recorded, as it was found.
        if (ours.Definition.AddedTokens.All(token => !token.Normalized || ours.Definition.Rules.Normalize(token.Content) == token.Content))
            Assert.Equal(Decode(ids), ours.Decode(ids, skipSpecial));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static RustTokenizer Here(Func<RustTokenizer> make)
    {
        Assert.SkipWhen(Missing.Value is not null, Missing.Value ?? "");
        return make();
    }
}
