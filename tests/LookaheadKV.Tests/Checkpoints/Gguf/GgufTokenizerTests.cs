using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>A tokenizer is the same in a GGUF file's metadata as in the files of a Hugging Face folder.</summary>
public sealed class GgufTokenizerTests : IDisposable
{
    private const int Control = 3;
    private readonly TemporaryFolder _folder = new();

    private string Model => _folder["model.gguf"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Byte_level_ids_are_those_of_tokenizer_json()
    {
        var expected = new Tokenizer(Samples.Definition);
        Bytes("hunyuan").Write(Model); // Qwen2's pattern, without normalization
        var read = Tokenizer.Load(Model);
        foreach (var text in Samples.Hard(300))
        {
            Assert.Equal(expected.Encode(text), read.Encode(text));
            Assert.Equal(expected.Decode(expected.Encode(text)), read.Decode(read.Encode(text)));
        }
        Assert.Equal([Samples.End, Samples.Ask], read.SpecialTokens.Select(token => token.Content));
    }

    [Fact]
    public void Sentencepiece_ids_are_those_of_tokenizer_model()
    {
        var pieces = SentencePieceModel.Sample();
        pieces.Write(_folder["tokenizer.model"]);
        var expected = Tokenizer.Load(_folder["tokenizer.model"]);
        Pieces(pieces).Write(Model);
        var read = Tokenizer.Load(Model);
        foreach (var text in Samples.Hard(300))
        {
            Assert.Equal(expected.Encode(text), read.Encode(text));
            Assert.Equal(expected.Decode(expected.Encode(text)), read.Decode(read.Encode(text)));
        }
        pieces.Pieces.Add((new string('x', 1 << 20), -1e6f, 1)); // every cut of it looked up would take hours
        Pieces(pieces).Write(Model);
        Assert.Equal(expected.Encode("the"), Tokenizer.Load(Model).Encode("the"));
        Pieces(pieces).Set("tokenizer.ggml.add_space_prefix", false).Write(Model);
        Assert.Equal(expected.Encode("the"), Tokenizer.Load(Model).Encode(" the"));
    }

    [Theory]
    [InlineData("smollm", "ab 123 can't", "ab| |1|2|3| can|'t")]
    [InlineData("gpt-2", "ab 123 can't", "ab| 123| can|'t")]
    [InlineData("llama-bpe", "1234 CAN'T x\n\n y", "123|4| CAN|'T| x|\n\n| y")]
    [InlineData("qwen2", "1234 it'S", "1|2|3|4| it|'S")]
    [InlineData("deepseek-v3", "1234日本 a", "123|4|日本| a")]
    [InlineData("deepseek-coder", "a 12\n日", "a| |1|2|\n|日")]
    [InlineData("falcon", "12345 a.b", "123|45| a|.|b")]
    [InlineData("tekken", "HelloWorld 12", "Hello|World| |1|2")]
    [InlineData("gpt-4o", "HelloWorld's 1234", "Hello|World's| |123|4")]
    [InlineData("default", "a, 1234 b", "a|,| |123|4| b")]
    public void The_name_decides_where_a_text_is_cut(string name, string text, string cuts)
    {
        // Every cut is a token, and so is whatever would lie across one: it must not be found.
        string[] wanted = cuts.Split('|');
        var pieces = wanted.Distinct().Where(piece => ByteLevel.Spell(piece).Length > 1).ToList();
        var across = string.Concat(wanted[..2]);
        Bytes(name, [.. pieces, across]).Write(Model);
        var tokenizer = Tokenizer.Load(Model);
        Assert.Equal(wanted, tokenizer.Encode(text).Select(tokenizer.Token));
    }

    [Fact]
    public void Every_name_that_is_offered_gives_the_ids_that_the_Rust_library_gives_of_its_text()
    {
        Bytes("no such name").Write(Model);
        var message = Assert.Throws<InputException>(() => Tokenizer.Load(Model)).Message;
        Assert.Contains("tokenizer.ggml.pre is \"no such name\"", message);
        var names = message[(message.IndexOf("one of ", StringComparison.Ordinal) + 7)..].TrimEnd('.').Split(", ");
        Assert.InRange(names.Length, 40, 100);
        string[] texts =
        [
            .. Samples.Templates(3),
            .. Samples.Hard(40).TakeLast(60),
            "日本語 12345 naïve\r\n\t\u00a0  x's 🙂 Ⅷ $+<=>^~|` HelloWorld!",
        ];
        foreach (var name in names)
        {
            Bytes(name).Set("tokenizer.ggml.bos_token_id", 0u).Write(Model);
            AssertSameAsRust(texts);
        }
        Pieces(SentencePieceModel.Sample()).Write(Model);
        AssertSameAsRust(texts);
    }

    // The text is what convert writes, so other programs read the same tokenizer from it.
    private void AssertSameAsRust(string[] texts)
    {
        var json = JsonNode.Parse(ModelFiles.Open(Model).Text(ModelFiles.TokenizerJson))!;
        var ours = Tokenizer.Load(Model);
        using (var plain = RustTokenizer.Plain(json))
            plain.AssertSame(ours, texts);
        using var whole = RustTokenizer.WithEnds(json);
        foreach (var text in texts.Where(text => !text.StartsWith(Samples.End, StringComparison.Ordinal)))
            Assert.Equal(whole.Encode(text), ours.EncodePrompt(text));
    }

    [Fact]
    public void Begin_tokens_are_added_where_the_file_or_the_kind_says_so()
    {
        Bytes("gpt-2").Set("tokenizer.ggml.bos_token_id", 0u).Write(Model);
        Assert.Null(Json()["post_processor"]);
        Bytes("llama-bpe").Set("tokenizer.ggml.bos_token_id", 0u).Set("tokenizer.ggml.eos_token_id", 1u).Write(Model);
        Assert.Equal([Samples.End, "A"], Template());
        Bytes("llama-bpe").Set("tokenizer.ggml.bos_token_id", 0u).Set("tokenizer.ggml.add_bos_token", false).Write(Model);
        Assert.Null(Json()["post_processor"]);
        Bytes("gpt-2")
            .Set("tokenizer.ggml.bos_token_id", 0u)
            .Set("tokenizer.ggml.eos_token_id", 1u)
            .Set("tokenizer.ggml.add_bos_token", true)
            .Set("tokenizer.ggml.add_eos_token", true)
            .Write(Model);
        Assert.Equal([Samples.End, "A", Samples.Ask], Template());
        Pieces(SentencePieceModel.Sample()).Write(Model);
        Assert.Equal(["<s>", "A"], Template());
        Bytes("llama-bpe").Write(Model); // nothing to add
        Assert.Null(Json()["post_processor"]);

        JsonObject Json() => JsonNode.Parse(ModelFiles.Open(Model).Text(ModelFiles.TokenizerJson))!.AsObject();
        string[] Template() =>
            [
                .. Json()["post_processor"]!["single"]!
                    .AsArray()
                    .Select(part => (part!["SpecialToken"] ?? part["Sequence"])!["id"]!.GetValue<string>()),
            ];
    }

    [Fact]
    public void An_answer_ends_at_the_end_of_a_text_a_turn_or_a_message()
    {
        Bytes("gpt-2")
            .Set("tokenizer.ggml.eos_token_id", 1u)
            .Set("tokenizer.ggml.eot_token_id", 5u)
            .Set("tokenizer.ggml.eom_token_id", 3u)
            .Write(Model);
        Assert.Equal([1, 3, 5], EndTokens.Of(Model));
        Bytes("gpt-2", ["<|eot_id|>"]).Set("tokenizer.ggml.eos_token_id", 1u).Write(Model); // as files did before there was a key
        Assert.Equal(3, EndTokens.Of(Model).Count); // and <|end|>
        Bytes("gpt-2").Set("tokenizer.ggml.eos_token_id", 100_000u).Write(Model);
        Assert.Equal([0], EndTokens.Of(Model));
        Pieces(SentencePieceModel.Sample()).Write(Model);
        Assert.Equal([2], EndTokens.Of(Model));
    }

    [Fact]
    public void Begin_and_ends_are_found_in_a_text_even_where_their_kind_is_missing()
    {
        Bytes("gpt-2", without: "tokenizer.ggml.token_type").Set("tokenizer.ggml.bos_token_id", 1u).Write(Model);
        var ids = Tokenizer.Load(Model).Encode(Samples.Ask + "a" + Samples.End);
        Assert.Equal((1, 0, 3), (ids[0], ids[^1], ids.Length));
    }

    [Fact]
    public void Markers_and_templates_are_those_of_tokenizer_config()
    {
        Bytes("gpt-2").Set("tokenizer.ggml.bos_token_id", 0u).Set("tokenizer.ggml.padding_token_id", 1u).Write(Model);
        var config = TokenizerConfig.Read(Model);
        Assert.Equal((Samples.End, null), (config.BeginToken, config.EndToken));
        Assert.False(ChatTemplate.IsIn(Model));
        Bytes("gpt-2").Set("tokenizer.chat_template", "{{ 'plain' }}").Write(Model);
        Assert.Equal("plain", Rendered());
        Bytes("gpt-2")
            .Set("tokenizer.chat_template", "{{ 'plain' }}")
            .Set("tokenizer.chat_templates", new[] { "tool_use", "rag" })
            .Set("tokenizer.chat_template.tool_use", "{{ tools }}")
            .Set("tokenizer.chat_template.rag", "{{ documents }}")
            .Write(Model);
        Assert.Equal("plain", Rendered());
        var named = JsonNode.Parse(ModelFiles.Open(Model).Text(ModelFiles.TokenizerConfig))!["chat_template"]!.AsArray();
        Assert.Equal(["default", "tool_use", "rag"], named.Select(template => template!["name"]!.GetValue<string>()));

        string Rendered() => ChatTemplate.Of(Model).Render([ChatMessage.User("?")]);
    }

    [Theory]
    [InlineData("tokenizer.ggml.model", "bert", "bert")]
    [InlineData("tokenizer.ggml.pre", "", "tokenizer.ggml.pre")]
    [InlineData("tokenizer.ggml.merges", null, "tokenizer.ggml.merges is missing")]
    [InlineData("tokenizer.ggml.tokens", null, "tokenizer.ggml.tokens is missing")]
    [InlineData("tokenizer.ggml.token_type", new[] { 1, 2 }, "one for each of")]
    [InlineData("tokenizer.ggml.tokens", new[] { "a", "a" }, "\"a\" is listed twice")]
    public void What_cannot_be_read_is_refused_by_name(string key, object? value, string named)
    {
        var builder = Bytes("gpt-2", [], without: key);
        if (value is not null)
            builder.Set(key, value);
        builder.Write(Model);
        var message = Assert.Throws<InputException>(() => Tokenizer.Load(Model)).Message;
        Assert.Contains(named, message);
        Assert.Contains(Model, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_file_without_tokenizer_says_so()
    {
        foreach (var builder in new[] { new GgufBuilder(), new GgufBuilder().Set("tokenizer.ggml.model", "none") })
        {
            builder.Set("general.architecture", "llama").Write(Model);
            Assert.False(Tokenizer.IsIn(Model));
            Assert.Contains("tokenizer.json", Assert.Throws<InputException>(() => Tokenizer.Load(Model)).Message);
        }
    }

    private static GgufBuilder Bytes(string pre, string[]? pieces = null, string without = "")
    {
        var tokens = Vocabulary(pieces).Tokens.Length;
        return WithTokenizer(Shape(), pre, pieces, without).Tensor("token_embd.weight", [tokens, 4], new float[4 * tokens]);
    }

    private static GgufBuilder Shape() =>
        new GgufBuilder()
            .Set("general.architecture", "llama")
            .Set("llama.context_length", 64u)
            .Set("llama.embedding_length", 4u)
            .Set("llama.block_count", 1u)
            .Set("llama.feed_forward_length", 4u)
            .Set("llama.attention.head_count", 1u)
            .Set("llama.attention.layer_norm_rms_epsilon", 1e-5f);

    /// <summary>Adds a byte-level tokenizer: the sample vocabulary, or the 256 bytes and some pieces, each made by merges of its own.</summary>
    internal static GgufBuilder WithTokenizer(GgufBuilder builder, string pre, string[]? pieces = null, string without = "")
    {
        var (tokens, merges) = Vocabulary(pieces);
        var markers = Samples.Definition.AddedTokens.Select(token => token.Content).ToHashSet();
        foreach (
            var (key, value) in new (string, object)[]
            {
                ("tokenizer.ggml.model", "gpt2"),
                ("tokenizer.ggml.pre", pre),
                ("tokenizer.ggml.tokens", tokens),
                ("tokenizer.ggml.token_type", tokens.Select(token => markers.Contains(token) ? Control : 1).ToArray()),
                ("tokenizer.ggml.merges", merges),
            }
        )
            if (key != without)
                builder.Set(key, value);
        return builder;
    }

    private static (string[] Tokens, string[] Merges) Vocabulary(string[]? pieces)
    {
        var sample = Samples.Definition;
        List<string> tokens = [.. sample.AddedTokens.OrderBy(token => token.Id).Select(token => token.Content)];
        if (pieces is null)
        {
            var byId = sample.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
            foreach (var added in sample.AddedTokens)
                byId[added.Id] = added.Content;
            return (
                [.. byId.OrderBy(entry => entry.Key).Select(entry => entry.Value)],
                [.. sample.Merges.Select(merge => $"{merge.Left} {merge.Right}")]
            );
        }
        List<string> merges = [];
        tokens.AddRange(Enumerable.Range(0, 256).Select(value => ByteLevel.Spell((byte)value)));
        foreach (var spelled in pieces.Select(piece => ByteLevel.Spell(piece)))
            for (var length = 2; length <= spelled.Length; length++)
                if (!tokens.Contains(spelled[..length]))
                {
                    tokens.Add(spelled[..length]);
                    merges.Add($"{spelled[..(length - 1)]} {spelled[length - 1]}");
                }
        return ([.. tokens], [.. merges]);
    }

    private static GgufBuilder Pieces(SentencePieceModel model) =>
        Shape()
            .Set("tokenizer.ggml.model", "llama")
            .Set("tokenizer.ggml.tokens", model.Pieces.Select(piece => piece.Text).ToArray())
            .Set("tokenizer.ggml.scores", model.Pieces.Select(piece => piece.Score).ToArray())
            .Set("tokenizer.ggml.token_type", model.Pieces.Select(piece => piece.Kind).ToArray())
            .Tensor("token_embd.weight", [model.Pieces.Count, 4], new float[4 * model.Pieces.Count]);
}
