using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LookaheadKV.Checkpoints;
using LookaheadKV.Checkpoints.Gguf;
using LookaheadKV.Files;
using LookaheadKV.Text;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>Writes what a GGUF file holds in the formats of Hugging Face, a tensor at a time.</summary>
public static class GgufConversion
{
    /// <summary>The type that holds every stored number as it is.</summary>
    public const string LosslessType = "float32";

    private static readonly Dictionary<string, string> Notes = new() { ["format"] = "pt" };
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    private static readonly string[] SmallFiles = [ModelFiles.TokenizerJson, ModelFiles.TokenizerConfig, ModelFiles.GenerationConfig];

    /// <summary>The types that <see cref="ToFolder"/> writes, by the names that config.json has for them.</summary>
    public static IReadOnlyDictionary<string, ScalarType> Types { get; } =
        new Dictionary<string, ScalarType>
        {
            ["float16"] = ScalarType.Float16,
            ["bfloat16"] = ScalarType.BFloat16,
            ["float32"] = ScalarType.Float32,
        };

    /// <summary>
    /// Writes a Hugging Face folder: configuration, tokenizer with its chat template, and weights. The configuration comes last, so that a folder
    /// with one is whole.
    /// </summary>
    /// <param name="path">A GGUF file, of a split one the first part.</param>
    /// <param name="folder">Where, created if need be; one that holds a model is left alone.</param>
    /// <param name="dtype">A name of <see cref="Types"/>; the others take half the place and round, which moves logits by about 0.01.</param>
    /// <param name="shardBytes">Most bytes of a file of weights.</param>
    /// <param name="progress">Receives every weight that was written.</param>
    /// <param name="cancellation">Looked at before every weight.</param>
    /// <returns>Numbers written.</returns>
    /// <exception cref="InputException">The file cannot be read, a number does not fit the type, or the folder holds a model or cannot be written.</exception>
    public static long ToFolder(
        string path,
        string folder,
        string dtype = LosslessType,
        long shardBytes = 4L << 30,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (!Types.TryGetValue(dtype, out var type))
            throw new InputException($"dtype \"{dtype}\" is none of those that can be written; use {string.Join(", ", Types.Keys)}.");
        OutputFolder.RefuseModel(folder);
        var files = GgufModel.Read(path);
        var shapes = DecoderWeights.Shapes(DecoderConfig.Load(files)).ToList();
        var tensors = files.Tensors();
        tensors.Require(shapes, _ => false);
        if (files.Has(ModelFiles.TokenizerJson))
            TokenizerJsonReader.Read(files, ModelFiles.TokenizerJson); // refuses what it cannot read, before anything is written
        OutputFolder.Create(folder);
        AtomicFile.Probe(Path.Combine(folder, ModelFiles.Config));

        var (total, done) = (shapes.Sum(tensor => tensors.Stored(tensor.Name).Bytes), 0L);
        SafetensorsShards.Write(
            folder,
            shapes,
            SafetensorsTypes.Size(type),
            shardBytes,
            (file, shard) => Safetensors.Write(file, [.. shard.Select(tensor => (tensor.Name, type, tensor.Shape))], Weight, Notes),
            () => WriteSmallFiles(files, folder, dtype)
        );
        return shapes.Sum(tensor => SafetensorsShards.Bytes(tensor.Shape, 1));

        Tensor Weight(string name)
        {
            cancellation.ThrowIfCancellationRequested();
            var stored = tensors.Stored(name);
            var weight = empty([.. stored.Shape], type);
            tensors.ReadInto(new Dictionary<string, Tensor> { [name] = weight });
            if (!weight.isfinite().all().item<bool>())
                throw new InputException(
                    $"{path}: weight {name} holds NaN, infinity, or a number beyond {dtype}; try {string.Join(" or ", Types.Keys.Where(other => other != dtype))}."
                );
            progress?.Report(new ReadProgress(done += stored.Bytes, total, name));
            return weight;
        }
    }

    private static void WriteSmallFiles(ModelFiles files, string folder, string dtype)
    {
        var config = JsonNode.Parse(files.Text(ModelFiles.Config))!;
        config["dtype"] = dtype; // as transformers 5 reads it
        config["torch_dtype"] = dtype; // as it was before
        var texts = SmallFiles.Where(files.Has).Select(file => (file, files.Bytes(file)));
        var written = new List<string>();
        try
        {
            foreach (var (file, bytes) in texts.Append((ModelFiles.Config, JsonSerializer.SerializeToUtf8Bytes(config, Readable))))
            {
                written.Add(Path.Combine(folder, file));
                AtomicFile.Write(written[^1], stream => stream.Write(bytes));
            }
        }
        catch
        {
            written.ForEach(File.Delete);
            throw;
        }
    }

    /// <summary>Writes every tensor under its own name in float32, of whatever family the model is.</summary>
    /// <param name="path">A GGUF file, of a split one the first part.</param>
    /// <param name="output">The safetensors file; one that exists is replaced.</param>
    /// <param name="progress">Receives every tensor that was written.</param>
    /// <param name="cancellation">Looked at before every tensor.</param>
    /// <returns>Numbers written.</returns>
    /// <exception cref="InputException">The file cannot be read, or the other not written.</exception>
    public static long ToSafetensors(
        string path,
        string output,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var file = GgufFile.Open(path);
        var (total, done) = (file.Tensors.Sum(tensor => tensor.Bytes), 0L);
        Safetensors.Write(
            output,
            [.. file.Tensors.Select(tensor => (tensor.Name, ScalarType.Float32, tensor.Shape.ToArray()))],
            name =>
            {
                cancellation.ThrowIfCancellationRequested();
                var tensor = file.Find(name)!;
                var values = empty([.. tensor.Shape], ScalarType.Float32);
                file.ReadInto(new Dictionary<string, Tensor> { [name] = values });
                progress?.Report(new ReadProgress(done += tensor.Bytes, total, name));
                return values;
            }
        );
        return file.Tensors.Sum(tensor => tensor.Elements);
    }
}
