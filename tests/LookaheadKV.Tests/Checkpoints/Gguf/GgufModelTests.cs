using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>A model is the same whether it lies in a Hugging Face folder, in a GGUF file, or in the folder that is made of that.</summary>
public sealed class GgufModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Model => _folder["model.gguf"];

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Golden() =>
        ["llama", "llama-shards", "llama-biases", "llama-linear", "llama-llama3", "mistral", "qwen2", "qwen2-yarn", "qwen3", "qwen3-yarn"];

    [Theory]
    [MemberData(nameof(Golden))]
    public void Logits_are_those_of_the_folder(string name)
    {
        var folder = Path.Combine(Root(), name);
        GgufOfFolder.Convert(folder).Write(Model);
        GgufConversion.ToFolder(Model, _folder["converted"], "float32", shardBytes: 20_000);
        using var scope = NewDisposeScope();
        var expected = Logits(folder);
        Assert.Equal(expected.bytes, Logits(Model).bytes);
        Assert.Equal(expected.bytes, Logits(_folder["converted"]).bytes);
        Assert.NotEmpty(Directory.GetFiles(_folder["converted"], "model-*.safetensors"));
    }

    [Fact]
    public void Stored_types_may_differ_from_tensor_to_tensor()
    {
        const string Config = """
            {"architectures": ["LlamaForCausalLM"], "vocab_size": 40, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3,
             "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 64, "model_type": "llama",
             "rms_norm_eps": 1e-5, "tie_word_embeddings": false}
            """;
        Directory.CreateDirectory(_folder["plain"]);
        File.WriteAllText(Path.Combine(_folder["plain"], "config.json"), Config);
        var shape = DecoderConfig.Load(_folder["plain"]);
        var builder = GgufOfFolder.Metadata(JsonNode.Parse(Config)!.AsObject(), shape);
        using var scope = NewDisposeScope();
        var random = new Random(11);
        var plain = new List<(string, Tensor)>();
        foreach (var (index, (name, size)) in DecoderWeights.Shapes(shape).Index())
        {
            var block = PlainBlock.All[index % PlainBlock.All.Count];
            var bytes = block.Random(random, (int)(size.Aggregate(1L, (a, b) => a * b) / block.Size));
            builder.Tensor(GgufOfFolder.Name(name), block.Number, size, bytes);
            var values = tensor(block.Values(bytes)).view(size);
            plain.Add((name, Halves(name, values)));
        }
        Safetensors.Write(Path.Combine(_folder["plain"], "model.safetensors"), plain);
        builder.Write(Model);
        foreach (var dtype in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
            Assert.Equal(Logits(_folder["plain"], dtype).bytes, Logits(Model, dtype).bytes);

        Tensor Halves(string name, Tensor rows) =>
            name.Contains("q_proj") ? Undo(rows, 8)
            : name.Contains("k_proj") ? Undo(rows, 2)
            : rows;

        static Tensor Undo(Tensor rows, int heads) => rows.view(heads, 16, 2, -1).transpose(1, 2).contiguous().view(rows.shape);
    }

    [Fact]
    public void What_a_file_leaves_out_is_as_in_llama_cpp()
    {
        var golden = Path.Combine(Root(), "mistral");
        var shape = DecoderConfig.Load(golden);
        var whole = GgufOfFolder.Convert(golden);
        whole.Write(Model);
        Assert.Equal(shape.RopeTheta, DecoderConfig.Load(Model).RopeTheta);
        Minimal(shape).Write(Model);
        var read = DecoderConfig.Load(Model);
        Assert.Equal((4, 12, 10_000, 13), (read.KeyValueHeads, read.HeadSize, read.RopeTheta, read.VocabularySize));
        Assert.True(read.TiedEmbeddings);
        Assert.Empty(EndTokens.Of(Model));
        Assert.False(LookaheadKV.Text.Tokenizer.IsIn(Model));
    }

    [Theory]
    [InlineData("general.architecture", "falcon", "falcon")]
    [InlineData("llama.rope.dimension_count", 6u, "rope.dimension_count")]
    [InlineData("llama.attention.value_length", 6u, "attention.value_length")]
    [InlineData("llama.expert_count", 8u, "expert_count")]
    [InlineData("llama.attention.scale", 0.5f, "attention.scale")]
    [InlineData("llama.rope.scaling.type", "longrope", "longrope")]
    [InlineData("llama.rope.scaling.type", "yarn", "rope.scaling.factor")]
    [InlineData("llama.attention.head_count_kv", "two", "head_count_kv")]
    [InlineData("llama.attention.head_count_kv", 3u, "num_key_value_heads")]
    public void What_is_not_implemented_is_refused_by_name(string key, object value, string named)
    {
        var builder = Minimal(DecoderConfig.Load(Path.Combine(Root(), "mistral")), without: key).Set(key, value);
        builder.Write(Model);
        var message = Assert.Throws<InputException>(() => Decoder.Load(Model)).Message;
        Assert.Contains(named, message);
        Assert.Contains(Model, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Layers_beyond_the_tensors_take_no_memory()
    {
        Minimal(DecoderConfig.Load(Path.Combine(Root(), "mistral")), without: "llama.block_count")
            .Set("llama.block_count", int.MaxValue)
            .Write(Model);
        Assert.Contains("block_count", Assert.Throws<InputException>(() => Decoder.Load(Model)).Message);
    }

    [Fact]
    public void A_tensor_that_nobody_asks_for_is_named()
    {
        var golden = Path.Combine(Root(), "llama");
        GgufOfFolder.Convert(golden).Tensor("blk.0.attn_sinks.weight", [4], [1, 2, 3, 4]).Write(Model);
        Assert.Contains("1 surplus (blk.0.attn_sinks.weight)", Assert.Throws<InputException>(() => Decoder.Load(Model)).Message);
    }

    [Theory]
    [InlineData(8, 1, 4, 8192, 500_000, 128)]
    [InlineData(32, 1, 4, 8192, 500_000, 64)]
    [InlineData(4, 1, 2.5, 3000, 10_000, 64)]
    [InlineData(16, 2, 8, 4096, 1_000_000, 96)]
    public void Llama_3_scaling_is_recovered_from_its_factors(double factor, double low, double high, int original, double theta, int head)
    {
        var config = DecoderConfig.Load(Path.Combine(Root(), "mistral")) with { HeadSize = head, RopeTheta = theta };
        var llama = new RopeScaling.Llama3(factor, low, high, original);
        using var scope = NewDisposeScope();
        Minimal(config).Tensor("rope_freqs.weight", [head / 2], GgufOfFolder.Divisors(config, llama)).Write(Model);
        var expected = RotaryFrequencies.Of(config with { RopeScaling = llama });
        var read = DecoderConfig.Load(Model);
        Assert.IsType<RopeScaling.Llama3>(read.RopeScaling);
        Assert.True(RotaryFrequencies.Of(read).allclose(expected, rtol: 2e-5, atol: 0));
        if (low == 1 && high == 4)
            Assert.Equal(llama, read.RopeScaling);
    }

    [Fact]
    public void Factors_of_another_kind_are_refused()
    {
        var config = DecoderConfig.Load(Path.Combine(Root(), "mistral"));
        Minimal(config).Tensor("rope_freqs.weight", [6], [1, 2, 1, 3, 1, 4]).Write(Model);
        Assert.Contains("rope_freqs.weight", Assert.Throws<InputException>(() => DecoderConfig.Load(Model)).Message);
        Minimal(config).Tensor("rope_freqs.weight", [6], [1, 1, 1, 1, 1, 1]).Write(Model);
        Assert.Null(DecoderConfig.Load(Model).RopeScaling);
    }

    [Fact]
    public void Modules_and_drafts_lie_beside_a_file_and_in_a_folder()
    {
        File.WriteAllBytes(Model, []);
        Assert.Equal(_folder["model.lookahead"], ModelFolders.Lookahead(Model));
        Assert.Equal(_folder["m.draft"], ModelFolders.Draft(_folder["m-00001-of-00003.gguf"]));
        Assert.Equal(_folder["lookahead"], ModelFolders.Lookahead(_folder.Path));
    }

    [Fact]
    public void A_fingerprint_is_of_what_the_file_holds_and_not_of_its_name()
    {
        GgufOfFolder.Convert(Path.Combine(Root(), "llama")).Write(Model);
        File.Copy(Model, _folder["other.gguf"]);
        Assert.Equal(FolderFingerprint.Of(Model), FolderFingerprint.Of(_folder["other.gguf"]));
        GgufOfFolder.Convert(Path.Combine(Root(), "llama")).Set("x", 1).Write(_folder["other.gguf"]);
        Assert.NotEqual(FolderFingerprint.Of(Model), FolderFingerprint.Of(_folder["other.gguf"]));
    }

    [Fact]
    public void Damage_is_refused_or_harmless_and_never_a_crash()
    {
        var golden = Path.Combine(Root(), "qwen2");
        var whole = GgufTokenizerTests.WithTokenizer(GgufOfFolder.Convert(golden), "qwen2", ["ab", " the"]).Bytes();
        var header =
            whole.Length
            - 4 * (int)DecoderWeights.Shapes(DecoderConfig.Load(golden)).Sum(weight => weight.Shape.Aggregate(1L, (a, b) => a * b));
        var random = new Random(4);
        for (var round = 0; round < 500; round++)
        {
            var bytes = (byte[])whole.Clone();
            for (var change = random.Next(1, 4); change > 0; change--)
                bytes[random.Next(header)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(Model, bytes);
            foreach (
                var read in (Action[])
                    [
                        () => Decoder.Load(Model).Dispose(),
                        () => LookaheadKV.Text.Tokenizer.Load(Model).Encode("the ab 123"),
                        () => LookaheadKV.Text.TokenizerConfig.Read(Model),
                        () => FolderFingerprint.Of(Model),
                    ]
            )
                try
                {
                    read();
                }
                catch (InputException error)
                {
                    Assert.DoesNotContain('\n', error.Message);
                }
        }
    }

    private static GgufBuilder Minimal(DecoderConfig shape, string without = "")
    {
        var builder = new GgufBuilder();
        foreach (
            var (key, value) in new (string, object)[]
            {
                ("general.architecture", "llama"),
                ("llama.block_count", 1u),
                ("llama.context_length", 64u),
                ("llama.embedding_length", (uint)(shape.HeadSize == 12 || shape.HeadSize == 16 ? 48 : 4 * shape.HeadSize)),
                ("llama.feed_forward_length", 96u),
                ("llama.attention.head_count", 4u),
                ("llama.rope.freq_base", (float)shape.RopeTheta),
                ("llama.attention.layer_norm_rms_epsilon", 1e-5f),
            }
        )
            if (key != without)
                builder.Set(key, value);
        return builder.Tensor("token_embd.weight", [13, 48], new float[13 * 48]).Tensor("output_norm.weight", [48], new float[48]);
    }

    private static Tensor Logits(string model, ScalarType dtype = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Decoder.Load(model, dtype: dtype);
        int[] prompt = [.. Enumerable.Range(1, 20).Select(i => i * 7 % decoder.Config.VocabularySize)];
        return decoder.Logits(PromptPass.Run(decoder, decoder.Ids(prompt), (_, _) => { })).MoveToOuterDisposeScope();
    }

    private static string Root([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../../golden/families");
}
