using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Checkpoints.Gguf;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>What convert writes beside the model itself: types, own names, and nothing where something goes wrong.</summary>
public sealed class GgufConversionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Model => _folder["model.gguf"];
    private string Out => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_safetensors_file_holds_every_tensor_under_its_own_name_in_float32()
    {
        var builder = new GgufBuilder().Set("general.architecture", "something else");
        var random = new Random(2);
        var expected = new Dictionary<string, float[]>();
        foreach (var block in PlainBlock.All)
        {
            var bytes = block.Random(random, 512 / block.Size);
            builder.Tensor($"any.{block.Name}", block.Number, [2, 256], bytes);
            expected[$"any.{block.Name}"] = block.Values(bytes);
        }
        builder.Tensor("counts", 26, [3], [1, 0, 0, 0, 255, 255, 255, 255, 7, 0, 0, 0]);
        expected["counts"] = [1, -1, 7];
        builder.Write(Model);
        Assert.Equal(expected.Values.Sum(values => values.Length), GgufConversion.ToSafetensors(Model, _folder["all.safetensors"]));
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(_folder["all.safetensors"]);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), file.Names.Order(StringComparer.Ordinal));
        Assert.All(expected, entry => Assert.Equal(entry.Value, file.Read(entry.Key).data<float>()));
        Assert.All(file.Names, name => Assert.Equal(ScalarType.Float32, file.Info(name).DType));
    }

    [Theory]
    [InlineData("float16", ScalarType.Float16)]
    [InlineData("bfloat16", ScalarType.BFloat16)]
    [InlineData("float32", ScalarType.Float32)]
    public void Weights_have_the_type_that_was_asked_for(string name, ScalarType type)
    {
        GgufOfFolder.Convert(Llama()).Write(Model);
        var sink = new List<ReadProgress>();
        GgufConversion.ToFolder(Model, Out, name, progress: new Inline<ReadProgress>(sink.Add));
        var tensors = SafetensorsFolder.Open(Out);
        Assert.All(tensors.Names, tensor => Assert.Equal(type, tensors.Info(tensor).DType));
        Assert.Equal(tensors.Names.Count, sink.Count);
        Assert.Equal(sink[^1].TotalBytes, sink[^1].Bytes);
        Assert.Contains($"\"torch_dtype\": \"{name}\"", File.ReadAllText(Path.Combine(Out, "config.json")));
        Assert.Equal(
            ["config.json", "generation_config.json", "model.safetensors"],
            Directory.GetFiles(Out).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void A_number_that_the_type_cannot_hold_is_refused_and_nothing_is_left()
    {
        var builder = GgufOfFolder.Metadata(
            JsonNode.Parse(File.ReadAllText(Path.Combine(Llama(), "config.json")))!.AsObject(),
            DecoderConfig.Load(Llama())
        );
        foreach (var (name, shape) in DecoderWeights.Shapes(DecoderConfig.Load(Llama())))
            builder.Tensor(GgufOfFolder.Name(name), shape, [.. Enumerable.Repeat(1e6f, (int)shape.Aggregate(1L, (a, b) => a * b))]);
        builder.Write(Model);
        var message = Assert.Throws<InputException>(() => GgufConversion.ToFolder(Model, Out, "float16")).Message;
        Assert.Contains("beyond float16", message);
        Assert.Contains("bfloat16", message);
        Assert.Empty(Directory.GetFiles(Out));
        GgufConversion.ToFolder(Model, Out, "bfloat16");
    }

    [Fact]
    public void A_folder_with_a_model_is_left_alone()
    {
        GgufOfFolder.Convert(Llama()).Write(Model);
        Directory.CreateDirectory(Out);
        File.WriteAllText(Path.Combine(Out, "config.json"), "mine");
        Assert.Contains("holds a model", Assert.Throws<InputException>(() => GgufConversion.ToFolder(Model, Out)).Message);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Out, "config.json")));
        Assert.Single(Directory.GetFiles(Out));
        Assert.Contains("float8", Assert.Throws<InputException>(() => GgufConversion.ToFolder(Model, _folder["new"], "float8")).Message);
    }

    private static string Llama([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "../../golden/families/llama");
}
