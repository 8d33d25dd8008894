using System.Runtime.CompilerServices;
using LookaheadKV.Tests.Checkpoints.Gguf;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary><c>lookahead convert</c>, and a GGUF file where other verbs take a model.</summary>
public sealed class ConvertTests : IDisposable
{
    private readonly Bench _bench = new();

    public ConvertTests()
    {
        var golden = Path.Combine(Golden(), "llama-llama3");
        GgufOfFolder.Convert(golden).Write(_bench["model.gguf"]);
    }

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task A_folder_a_file_and_the_GGUF_itself_are_one_model()
    {
        var ran = await _bench.Run("convert", "{model.gguf}", "--out", "{folder}", "--json", "{out.json}");
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        Assert.Contains(" numbers in float32 → ", ran.Output);
        Assert.Equal("float32", _bench.Json("out.json").GetProperty("dtype").GetString());
        Assert.Equal(0, (await _bench.Run("convert", "{model.gguf}", "--out", "{all.safetensors}")).ExitCode);
        Assert.True(File.Exists(_bench["all.safetensors"]));
        foreach (var (model, file) in new[] { ("{model.gguf}", "a"), ("{folder}", "b") })
            Assert.Equal(
                0,
                (await _bench.Run("logits", "--model", model, "--device", "cpu", "--ids", "{ids.json}", "--out", $"{{{file}}}")).ExitCode
            );
        Assert.Equal(File.ReadAllBytes(_bench["a"]), File.ReadAllBytes(_bench["b"]));
    }

    [Fact]
    public async Task What_cannot_be_written_is_said_and_nothing_is_left()
    {
        await Fails(2, "--dtype: dtype \"int8\"", "{model.gguf}", "--out", "{x}", "--dtype", "int8");
        await Fails(2, "is written in float32", "{model.gguf}", "--out", "{x.safetensors}", "--dtype", "float16");
        await Fails(1, "is a folder already", "{model}", "--out", "{x}");
        await Fails(1, "holds a model", "{model.gguf}", "--out", "{model}");
        await Fails(1, "no such folder or file", "{nothing.gguf}", "--out", "{x}");
        _bench.Write("text.gguf", "version https://git-lfs.github.com/spec/v1");
        await Fails(1, _bench["text.gguf"], "{text.gguf}", "--out", "{x}");
        Assert.False(Directory.Exists(_bench["x"]));
        Assert.False(File.Exists(_bench["x.safetensors"]));
    }

    private async Task Fails(int code, string part, params string[] arguments)
    {
        var ran = await _bench.Run(["convert", .. arguments]);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Golden([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../golden/families");
}
