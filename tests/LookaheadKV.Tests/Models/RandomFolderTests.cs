using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>Folders of random weights load, whole or in shards; fingerprints tell folders apart.</summary>
public sealed class RandomFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Families() => ["llama", "llama tied", "qwen2", "qwen3"];

    private static DecoderConfig Shape(string family) =>
        family switch
        {
            "llama tied" => TinyDecoder.Config with { TiedEmbeddings = true },
            "qwen2" => TinyDecoder.Config with { Biases = [LinearName.Query, LinearName.Key, LinearName.Value] },
            "qwen3" => TinyDecoder.Config with { QueryKeyNorm = QueryKeyNorm.Heads },
            _ => TinyDecoder.Config,
        };

    [Theory]
    [MemberData(nameof(Families))]
    public void A_folder_loads_with_the_shape_it_was_asked_for(string family)
    {
        var shape = Shape(family);
        foreach (var (name, shard) in new[] { ("whole", 1L << 30), ("shards", 1500L) })
        {
            var count = RandomFolder.Write(_folder[name], shape, seed: 3, shardBytes: shard);
            using var scope = NewDisposeScope();
            using var decoder = Decoder.Load(_folder[name], dtype: ScalarType.BFloat16);
            Assert.Equivalent(shape, decoder.Config, strict: true);
            Assert.Equal(count, decoder.Weights.All.Sum(weight => weight.numel()));
            var files = Directory.GetFiles(_folder[name], "*.safetensors");
            Assert.Equal(name == "whole", files.Length == 1);
            Assert.All(files, file => Assert.InRange(new FileInfo(file).Length, 1, shard + 3000)); // and its header
            Assert.Equal(0.02, decoder.Weights.Layers[0][LinearName.Up].to(ScalarType.Float32).std().item<float>(), 0.006);
            Assert.True(decoder.Weights.FinalNorm.eq(1).all().item<bool>());
        }
        Assert.Equal(Bytes("whole").Order(StringComparer.Ordinal), Bytes("shards").Order(StringComparer.Ordinal));

        // The same seed draws the same weights, however they are cut into files.
        IEnumerable<string> Bytes(string name)
        {
            var folder = SafetensorsFolder.Open(_folder[name]);
            using var scope = NewDisposeScope();
            var tensors = folder.Names.ToDictionary(name => name, name => empty([.. folder.Info(name).Shape], ScalarType.Float32));
            folder.ReadInto(tensors);
            return [.. tensors.Select(t => $"{t.Key} {Convert.ToHexString(t.Value.bytes)}")];
        }
    }

    [Fact]
    public void A_shape_of_no_family_is_refused() =>
        Assert.Contains(
            "no family has biases",
            Assert
                .Throws<InputException>(() => RandomFolder.Write(_folder["none"], TinyDecoder.Config with { Biases = [LinearName.Down] }))
                .Message
        );

    [Fact]
    public void A_fingerprint_is_of_what_a_folder_holds_and_not_of_its_place()
    {
        RandomFolder.Write(_folder["a"], TinyDecoder.Config, seed: 1, shardBytes: 1500);
        RandomFolder.Write(_folder["b"], TinyDecoder.Config, seed: 1, shardBytes: 1500);
        RandomFolder.Write(_folder["c"], TinyDecoder.Config, seed: 2, shardBytes: 1500);
        var print = FolderFingerprint.Of(_folder["a"]);
        Assert.Equal(64, print.Length);
        Assert.Equal(print, FolderFingerprint.Of(_folder["b"]));
        Assert.NotEqual(print, FolderFingerprint.Of(_folder["c"]));
        File.WriteAllText(Path.Combine(_folder["b"], "generation_config.json"), """{"eos_token_id": 3}""");
        Assert.NotEqual(print, FolderFingerprint.Of(_folder["b"]));
    }

    // Another fine-tuning of the same model may differ in a few tensors alone.
    [Fact]
    public void A_fingerprint_sees_every_bit_of_the_weights()
    {
        RandomFolder.Write(_folder["a"], TinyDecoder.Config with { VocabularySize = 40_000 }, seed: 1);
        var file = Path.Combine(_folder["a"], "model.safetensors");
        var print = FolderFingerprint.Of(_folder["a"]);
        using var weights = File.Open(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        Assert.True(weights.Length > 16 << 16, "the file is too short to leave anything out");
        var random = new Random(7);
        foreach (var place in Enumerable.Range(0, 20).Select(_ => random.NextInt64(weights.Length)).Append(0).Append(weights.Length - 1))
        {
            var bit = (byte)(1 << random.Next(8));
            Flip(place, bit);
            Assert.True(print != FolderFingerprint.Of(_folder["a"]), $"bit {bit} of byte {place} of {weights.Length}");
            Flip(place, bit);
        }
        Assert.Equal(print, FolderFingerprint.Of(_folder["a"]));

        void Flip(long place, byte bit)
        {
            var value = new byte[1];
            RandomAccess.Read(weights.SafeFileHandle, value, place);
            RandomAccess.Write(weights.SafeFileHandle, [(byte)(value[0] ^ bit)], place);
        }
    }
}
