using LookaheadKV.Checkpoints.Gguf;
using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// What a model is stored in, wherever that lies: small files by the names that a Hugging Face folder gives them, and tensors by their
/// Hugging Face names. Whoever reads a model reads it through this.
/// </summary>
public abstract class ModelFiles
{
    /// <summary>The model's shape.</summary>
    public const string Config = "config.json";

    /// <summary>How answers are generated and where they end.</summary>
    public const string GenerationConfig = "generation_config.json";

    /// <summary>The tokenizer, in the form of Hugging Face tokenizers.</summary>
    public const string TokenizerJson = "tokenizer.json";

    /// <summary>The tokenizer, as a SentencePiece model.</summary>
    public const string SentencePiece = "tokenizer.model";

    /// <summary>The tokenizer's class, markers and chat template.</summary>
    public const string TokenizerConfig = "tokenizer_config.json";

    /// <summary>The chat template alone, which goes before the one in <see cref="TokenizerConfig"/>.</summary>
    public const string ChatTemplate = "chat_template.jinja";

    private protected ModelFiles(string path) => Path = path;

    /// <summary>Where the model lies, as the caller wrote it.</summary>
    public string Path { get; }

    /// <summary>Opens a Hugging Face folder, of which nothing is read yet, or a GGUF file (of a split one the first part), of which the header is read.</summary>
    /// <exception cref="InputException">There is no such folder or file, or the file's header is damaged.</exception>
    public static ModelFiles Open(string path) => Directory.Exists(Existing(path)) ? new HuggingFaceFolder(path) : GgufModel.Read(path);

    /// <summary>A path at which there is a model.</summary>
    /// <exception cref="InputException">There is none.</exception>
    internal static string Existing(string path) =>
        Exists(path) ? path
        : File.Exists(path)
            ? throw new InputException($"{path}: it is neither a Hugging Face folder nor a GGUF file, which is what --model takes.")
        : throw new InputException(
            $"{path}: no such folder or file; --model takes `nano`, a Hugging Face folder, a .gguf file, or ORG/NAME[@REVISION] of the Hugging Face cache."
        );

    /// <summary>A file that was named alone, and the files beside it.</summary>
    internal static (ModelFiles Files, string File) OfFile(string path) =>
        (new HuggingFaceFolder(System.IO.Path.GetDirectoryName(path) ?? ""), System.IO.Path.GetFileName(path));

    /// <summary>Whether <see cref="Open"/> finds something at this path.</summary>
    public static bool Exists(string path) => Directory.Exists(path) || IsGguf(path);

    // Some caches keep the files without their extension.
    private static bool IsGguf(string path)
    {
        if (!File.Exists(path))
            return false;
        if (System.IO.Path.GetExtension(path).Equals(".gguf", StringComparison.OrdinalIgnoreCase))
            return true;
        using var file = File.OpenRead(path);
        Span<byte> start = stackalloc byte[4];
        return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("GGUF"u8);
    }

    /// <summary>What messages call a small file of this model.</summary>
    public abstract string NameOf(string file);

    /// <summary>Whether a small file is there.</summary>
    public abstract bool Has(string file);

    /// <summary>The bytes of a small file.</summary>
    /// <exception cref="InputException">It is not there or cannot be read.</exception>
    public abstract byte[] Bytes(string file);

    /// <summary>The text of a small file.</summary>
    /// <exception cref="InputException">It is not there, cannot be read, or is not UTF-8.</exception>
    public string Text(string file) => TextFile.Decode(NameOf(file), Bytes(file));

    /// <summary>Has <paramref name="parse"/> read a small file that is JSON.</summary>
    /// <exception cref="InputException">It is not there, cannot be read, is not JSON, or not what is asked for.</exception>
    internal T Json<T>(string file, Func<JsonField, T> parse) => parse(new JsonText(NameOf(file), Bytes(file)).Root);

    /// <summary>The files on disk that hold the weights, each with a name that does not depend on where the model lies.</summary>
    public abstract IReadOnlyList<(string Name, string Path)> WeightFiles { get; }

    /// <summary>Bytes of those files.</summary>
    /// <exception cref="InputException">One cannot be read.</exception>
    public long WeightBytes => WeightFiles.Sum(file => Length(file.Path));

    /// <summary>The tensors: all headers are read and checked, no tensor is.</summary>
    /// <exception cref="InputException">There are none, or what holds them is damaged.</exception>
    public abstract ModelTensors Tensors();

    // Of what a link points to: the hub's tools keep links.
    private static long Length(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            return RandomAccess.GetLength(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({Quoting.OneLine(error.Message)}).", error);
        }
    }

    private protected InputException Unreadable(string file, Exception error) =>
        new($"{NameOf(file)}: cannot be read ({Quoting.OneLine(error.Message)}); check its permissions.", error);
}
