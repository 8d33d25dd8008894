using System.IO.Compression;
using System.Text;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Files;

/// <summary>What stands under a model file's name and is something else is told as what it is, whichever file it is.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static readonly Dictionary<string, (byte[] Bytes, string Told)> Kinds = new()
    {
        ["pointer"] = (
            Encoding.UTF8.GetBytes(
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 269060552\n"
            ),
            "a Git LFS pointer in place of the file itself, which has 269,060,552 bytes; fetch that with `git lfs pull`"
        ),
        ["page"] = (Encoding.UTF8.GetBytes("\n<!DOCTYPE html>\n<html><body>Not found</body></html>"), "an HTML page"),
        ["gzip"] = (Gzip(), "a gzip archive"),
        ["zip"] = (Zip(), "a zip archive or a PyTorch checkpoint"),
        ["pickle"] = ([0x80, 0x02, .. "}q\0(X\u0003\0\0\0"u8], "a Python pickle"),
        ["gguf"] = ([.. "GGUF"u8, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "a GGUF file"),
    };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void Every_file_of_a_model_tells_it(string kind)
    {
        var (bytes, told) = Kinds[kind];
        Refused(ModelFiles.Config, bytes, told, () => DecoderConfig.Load(_folder.Path));
        Refused(ModelFiles.GenerationConfig, bytes, told, () => EndTokens.Of(_folder.Path));
        Refused(ModelFiles.TokenizerJson, bytes, told, () => Tokenizer.Load(_folder.Path));
        Refused(ModelFiles.SentencePiece, bytes, told, () => Tokenizer.Load(_folder.Path));
        Refused(ModelFiles.TokenizerConfig, bytes, told, () => TokenizerConfig.Read(_folder.Path));
        Refused(ModelFiles.ChatTemplate, bytes, told, () => ChatTemplate.Of(_folder.Path));
        Refused("model.safetensors", bytes, told, () => SafetensorsFolder.Open(_folder.Path));
        Refused("model.safetensors.index.json", bytes, told, () => SafetensorsFolder.Open(_folder.Path));
        if (kind != "gguf")
            Refused("model.gguf", bytes, told, () => ModelFiles.Open(_folder["model.gguf"]));
    }

    [Theory]
    [InlineData("pytorch_model.bin", "(pytorch_model.bin is not read as a folder's weights)")]
    [InlineData("consolidated.00.pth", "(consolidated.00.pth is not read as a folder's weights)")]
    [InlineData("notes.txt", "beside it; give")]
    public void Weights_of_another_format_are_named(string file, string told)
    {
        RandomFolder.Write(_folder["m"], TinyDecoder.Config);
        File.Move(Path.Combine(_folder["m"], "model.safetensors"), Path.Combine(_folder["m"], file));
        Assert.Contains(told, Assert.Throws<InputException>(() => LookaheadKV.Models.Decoder.Load(_folder["m"])).Message);
    }

    [Theory]
    [InlineData("{\"a\": 1}")]
    [InlineData("version of a text")]
    [InlineData("")]
    public void Other_texts_are_not_taken_for_it(string text) => Assert.Null(ForeignFile.Describe(Encoding.UTF8.GetBytes(text)));

    private void Refused(string file, byte[] bytes, string told, Action read)
    {
        File.WriteAllBytes(_folder[file], bytes);
        var message = Assert.Throws<InputException>(read).Message;
        File.Delete(_folder[file]);
        Assert.StartsWith(_folder[file], message);
        Assert.Contains(told, message);
        Assert.Single(message.Split('\n'));
    }

    private static byte[] Gzip()
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write("{}"u8);
        return memory.ToArray();
    }

    private static byte[] Zip()
    {
        using var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
            zip.CreateEntry("archive/data.pkl");
        return memory.ToArray();
    }
}
