using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// A GGUF file as the Hugging Face folder that it stands for: its metadata as the small files, its tensors under the names of the folder's. Reading
/// and converting go through the same texts, so they cannot differ.
/// </summary>
internal sealed class GgufModel : ModelFiles
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly GgufFile _file;

    private GgufModel(string path, GgufFile file)
        : base(path)
    {
        _file = file;
    }

    /// <summary>Opens a file and, where it is the first of several, the others.</summary>
    /// <exception cref="InputException">A file is missing or damaged, or its version or a tensor's type is not read.</exception>
    public static GgufModel Read(string path) => new(path, GgufFile.Open(path));

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, string Path)> WeightFiles =>
        [.. _file.Parts.Select((part, number) => ($"part {number + 1}", part))];

    /// <inheritdoc/>
    public override string NameOf(string file) => $"{Path} ({file})";

    /// <inheritdoc/>
    public override bool Has(string file) =>
        file switch
        {
            Config or GenerationConfig => true,
            TokenizerJson or TokenizerConfig => GgufTokenizer.IsIn(_file.Metadata),
            _ => false,
        };

    /// <inheritdoc/>
    public override byte[] Bytes(string file)
    {
        if (!Has(file))
            throw new InputException($"{Path}: this file has nothing in the place of {file}.");
        return Encoding.UTF8.GetBytes(Json(file).ToJsonString(Readable) + "\n");
    }

    /// <inheritdoc/>
    public override ModelTensors Tensors() => new GgufTensors(Path, _file, GgufFamily.Of(_file.Metadata));

    private JsonObject Json(string file) =>
        file switch
        {
            Config => GgufConfig.Config(_file, GgufFamily.Of(_file.Metadata)),
            GenerationConfig => GgufConfig.GenerationConfig(_file),
            TokenizerJson => GgufTokenizer.Json(_file.Metadata),
            _ => GgufTokenizer.Config(_file.Metadata, Context()),
        };

    private int Context() => _file.Metadata.Count(GgufFamily.Of(_file.Metadata).Key("context_length"));
}
