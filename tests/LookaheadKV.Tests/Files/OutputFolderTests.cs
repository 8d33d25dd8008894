using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Files;

/// <summary>A folder with a model in it, in any format, is refused before anything is written, and stays as it is.</summary>
public sealed class OutputFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("adapter_model.safetensors")]
    [InlineData("tiny.Q4_0.gguf")]
    [InlineData("pytorch_model.bin")]
    [InlineData("consolidated.00.pth")]
    [InlineData("tokenizer.json")]
    public void A_model_of_any_format_is_refused_and_stays(string file)
    {
        File.WriteAllText(_folder[file], "precious");
        File.WriteAllText(_folder["notes.txt"], "mine");
        // Of one shard and of several, the first of which may have a name that is free.
        foreach (var bytes in new[] { 1L << 30, 1500L })
        {
            var error = Assert.Throws<InputException>(() => RandomFolder.Write(_folder.Path, TinyDecoder.Config, shardBytes: bytes));
            Assert.Contains($"{_folder.Path} holds a model ({file})", error.Message);
        }
        Assert.Equal(["mine", "precious"], Directory.EnumerateFiles(_folder.Path).Select(File.ReadAllText).Order());
    }

    [Fact]
    public void A_folder_of_other_things_is_written_into_and_they_stay()
    {
        File.WriteAllText(_folder["notes.txt"], "mine");
        RandomFolder.Write(_folder.Path, TinyDecoder.Config);
        Assert.Equal("mine", File.ReadAllText(_folder["notes.txt"]));
        Assert.Throws<InputException>(() => RandomFolder.Write(_folder.Path, TinyDecoder.Config));
    }

    [Fact]
    public void A_file_is_no_folder()
    {
        File.WriteAllText(_folder["file"], "mine");
        var error = Assert.Throws<InputException>(() => RandomFolder.Write(_folder["file"], TinyDecoder.Config));
        Assert.Equal($"{_folder["file"]} is a file; name a folder.", error.Message);
        error = Assert.Throws<InputException>(() => RandomFolder.Write(_folder["file/below"], TinyDecoder.Config));
        Assert.StartsWith($"cannot make the folder {_folder["file/below"]}", error.Message);
    }

    [Fact]
    public void A_cancelled_writer_leaves_no_part_of_a_model()
    {
        File.WriteAllText(_folder["notes.txt"], "mine");
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            RandomFolder.Write(
                _folder.Path,
                TinyDecoder.Config,
                shardBytes: 1500,
                progress: new Inline<ReadProgress>(_ => stop.Cancel()),
                cancellation: stop.Token
            )
        );
        Assert.Equal([_folder["notes.txt"]], Directory.EnumerateFiles(_folder.Path));
    }
}
