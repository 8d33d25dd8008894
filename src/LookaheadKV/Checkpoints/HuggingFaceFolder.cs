using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints;

/// <summary>The files of a Hugging Face folder, read from disk when they are asked for.</summary>
internal sealed class HuggingFaceFolder(string path) : ModelFiles(path)
{
    public override IReadOnlyList<(string Name, string Path)> WeightFiles =>
        [
            .. Directory
                .EnumerateFiles(Path, "*.safetensors")
                .Select(file => (Name: System.IO.Path.GetFileName(file), file))
                .OrderBy(file => file.Name, StringComparer.Ordinal),
        ];

    public override string NameOf(string file) => System.IO.Path.Combine(Path, file);

    public override bool Has(string file) => File.Exists(NameOf(file));

    public override byte[] Bytes(string file)
    {
        try
        {
            var bytes = File.ReadAllBytes(NameOf(file));
            ForeignFile.Refuse(NameOf(file), bytes);
            return bytes;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{NameOf(file)}: no such file; name a whole Hugging Face folder, or the file itself.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(file, error);
        }
    }

    public override ModelTensors Tensors() => SafetensorsFolder.Open(Path);
}
