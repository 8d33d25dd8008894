using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>The shapes of published models, and models that nobody trained.</summary>
public sealed class ModelShapesTests
{
    /// <summary>Parameters as the models' cards count them, tied heads once.</summary>
    [Theory]
    [InlineData("llama-100m", 100_092_672)] // counted by hand
    [InlineData("llama-3.2-1b", 1_235_814_400)]
    [InlineData("qwen3-1.7b", 1_720_574_976)]
    [InlineData("qwen3-4b", 4_022_468_096)]
    [InlineData("llama-3.1-8b", 8_030_261_248)]
    [InlineData("qwen3-8b", 8_190_735_360)]
    public void A_shape_has_the_published_number_of_parameters(string name, long count) =>
        Assert.Equal(count, DecoderWeights.Shapes(ModelShapes.Find(name)).Sum(weight => weight.Shape.Aggregate(1L, (a, b) => a * b)));

    [Fact]
    public void An_unknown_shape_is_refused_with_the_known_ones()
    {
        var message = Assert.Throws<InputException>(() => ModelShapes.Find("gpt")).Message;
        Assert.Contains("shape \"gpt\" is unknown", message);
        Assert.All(ModelShapes.All.Keys, name => Assert.Contains(name, message));
    }

    [Fact]
    public void A_random_model_has_maps_of_little_numbers_norms_of_one_no_bias_and_a_seed()
    {
        using var scope = NewDisposeScope();
        var shape = TinyDecoder.Config with
        {
            VocabularySize = 500,
            QueryKeyNorm = QueryKeyNorm.Heads,
            Biases = [LinearName.Query, LinearName.Down],
        };
        using var model = ModelShapes.Random(shape, CPU, ScalarType.Float32, seed: 3);
        using var again = ModelShapes.Random(shape, CPU, ScalarType.Float32, seed: 3);
        using var other = ModelShapes.Random(shape, CPU, ScalarType.Float32, seed: 4);
        foreach (var (name, weight) in model.Weights.Named)
            if (name.EndsWith("norm.weight", StringComparison.Ordinal))
                Assert.True(weight.eq(1).all().item<bool>(), name);
            else if (name.EndsWith(".bias", StringComparison.Ordinal))
                Assert.True(weight.eq(0).all().item<bool>(), name);
            else
                Assert.Equal(0.02, weight.std().item<float>(), 0.006);
        Assert.True(model.Weights.Embedding.eq(again.Weights.Embedding).all().item<bool>());
        Assert.False(model.Weights.Embedding.eq(other.Weights.Embedding).all().item<bool>());
        Assert.False(model.Weights.Embedding.requires_grad);
    }

    [Fact]
    public void A_folder_is_where_it_is_named_and_what_it_holds_lies_within()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(folder.Path, ModelFolders.Resolve(folder.Path));
        Assert.Equal(folder["lookahead"], ModelFolders.Lookahead(folder.Path));
        Assert.Equal(folder["draft"], ModelFolders.Draft(folder.Path));
        Assert.True(File.Exists(Path.Combine(ModelFolders.Resolve("nano"), "config.json")));
        foreach (var file in (string[])["README.md", "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"])
            File.WriteAllText(folder[file], "");
        Assert.Equal(folder["m-00001-of-00002.gguf"], ModelFolders.Resolve(folder.Path)); // nothing else in it runs
        File.WriteAllText(folder["other.gguf"], "");
        var message = Assert.Throws<InputException>(() => ModelFolders.Resolve(folder.Path)).Message;
        Assert.Contains("2 GGUF models (m-00001-of-00002.gguf, other.gguf)", message);
        File.WriteAllText(folder["model.safetensors"], "");
        Assert.Equal(folder.Path, ModelFolders.Resolve(folder.Path));
        Assert.Contains("no/such: no such folder", Assert.Throws<InputException>(() => ModelFolders.Resolve("no/such")).Message);
    }

    [Fact]
    public void What_lies_beside_a_file_has_its_name_and_files_are_not_looked_for_on_the_hub()
    {
        Assert.Equal(Path.Combine("models", "m.lookahead"), ModelFolders.Lookahead(Path.Combine("models", "m.gguf")));
        Assert.Equal(Path.Combine("models", "m.draft"), ModelFolders.Draft(Path.Combine("models", "m.gguf")));
        const string Cache = "not in the Hugging Face cache";
        Assert.Contains(Cache, Message("nobody/nothing"));
        foreach (var name in (string[])["nobody/nothing.gguf", "nobody/nothing.GGUF", "./nobody/nothing", "nothing"])
            Assert.DoesNotContain(Cache, Message(name));

        static string Message(string model) => Assert.Throws<InputException>(() => ModelFolders.Resolve(model)).Message;
    }
}
